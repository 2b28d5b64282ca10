import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.config import ConfigError
from scenic_video.data.input.audio import FULL_SCALE
from scenic_video.errors import UserError
from scenic_video.modalities.audio import Audio
from scenic_video.modalities.inputs import InputTransform
from scenic_video.modalities.rgb import Rgb
from scenic_video.transforms.augmentation import Augment
from scenic_video.transforms.circular_shift import circular_shift
from scenic_video.transforms.spec_augment import spec_augment
from scenic_video.transforms.spectrograms import log_mel, mel_matrix

RNG = jax.random.key(0)
AUDIO = Audio(seconds=0.5, mean=-2.0, std=1.5)


def waveforms(number: int = 3, audio: Audio = AUDIO) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 3000, (number, audio.num_samples))
    return noise.astype(np.int16)


def masks(frequency: tuple[int, int], time: tuple[int, int]) -> Augment:
    return functools.partial(spec_augment, frequency_masks=frequency, time_masks=time)


def transform(*augmentations: Augment, train: bool = True, has_audio: Any = (1, 1, 1)):
    inputs = {"waveform": waveforms(), "has_audio": np.array(has_audio, np.float32)}
    return spectrograms(AUDIO, augmentations, inputs, train=train)


def spectrograms(audio: Audio, augmentations: Any, inputs: Any, *, train: bool = True):
    make = InputTransform({"audio": audio}, {"audio": augmentations})
    return np.asarray(make(inputs, rng=RNG, train=train)["audio"])


def test_the_spectrogram_follows_the_formula():
    """Frame by frame in float64, by the definition of each part."""
    audio = Audio(seconds=0.1)
    samples = np.random.default_rng(1).normal(0, 0.1, audio.num_samples)
    hann = 0.5 * (1 - np.cos(2 * np.pi * np.arange(400) / 400))
    centres = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 130)
    expected = np.zeros((10, 128))
    for column in range(10):
        frame = samples[160 * column : 160 * column + 400] * hann
        magnitudes = np.abs(np.fft.fft(np.pad(frame, (0, 112)))[:257])
        for bin in range(128):
            low, centre, high = centres[bin : bin + 3]
            mels = 1127 * np.log(1 + np.arange(1, 257) * 8000 / 256 / 700)
            rise, fall = (mels - low) / (centre - low), (high - mels) / (high - centre)
            weights = np.clip(np.minimum(rise, fall), 0, None)
            expected[column, bin] = np.log(magnitudes[1:] @ weights + 0.01)
    np.testing.assert_allclose(
        log_mel(jnp.asarray(samples, jnp.float32), audio), expected, atol=2e-4
    )


def test_kaldis_spectrogram_follows_its_formula():
    audio = Audio(seconds=0.02, spectrogram="kaldi", fft_size=2048)
    samples = np.random.default_rng(1).normal(0.3, 0.1, audio.num_samples)
    window = 0.5 * (1 - np.cos(2 * np.pi * np.arange(400) / 399))
    for column, found in enumerate(log_mel(jnp.asarray(samples, jnp.float32), audio)):
        frame = samples[160 * column : 160 * column + 400]
        frame = frame - frame.mean()
        frame = (frame - 0.97 * np.insert(frame[:-1], 0, frame[0])) * window
        power = np.abs(np.fft.rfft(frame, 2048)) ** 2
        np.testing.assert_allclose(found, np.log(power @ mel_matrix(audio)), atol=1e-3)
    silence = log_mel(jnp.zeros(audio.num_samples), audio)
    np.testing.assert_allclose(silence, np.log(2.0**-23), rtol=1e-6)


def test_a_tone_is_in_the_bin_of_its_pitch():
    audio = Audio(seconds=0.3, fft_size=2048)
    centres = np.linspace(1127 * np.log1p(125 / 700), 1127 * np.log1p(7500 / 700), 130)[1:-1]
    for frequency in (300, 1000, 4000):
        time = np.arange(audio.num_samples) / 16_000
        bins = np.asarray(log_mel(jnp.sin(2 * np.pi * frequency * time), audio)).mean(0)
        assert abs(bins.argmax() - np.abs(centres - 1127 * np.log1p(frequency / 700)).argmin()) <= 1


def test_every_mel_bin_of_a_long_transform_has_weight():
    assert (mel_matrix(Audio(fft_size=4096)).max(axis=0) > 0.5).all()
    assert not mel_matrix(Audio())[0].any()


def test_evaluation_only_normalises():
    plain = transform(circular_shift, masks((1, 48), (4, 20)), train=False)
    expected = (log_mel(jnp.asarray(waveforms() / FULL_SCALE, jnp.float32), AUDIO) + 2) / 1.5
    assert plain.shape == (3, 50, 128, 1) and plain.dtype == np.float32
    np.testing.assert_allclose(plain[..., 0], expected, atol=1e-5)


def test_frequency_and_time_masks_hide_bands_and_spans():
    plain = transform(train=False)[..., 0]
    masked = transform(masks((2, 30), (3, 10)))[..., 0]
    hidden = masked == 0
    assert np.array_equal(np.where(hidden, plain, masked), plain) or np.allclose(
        np.where(hidden, plain, masked), plain, atol=1e-5
    )
    for example in hidden:
        bands, spans = example.all(axis=0), example.all(axis=1)
        assert 0 < bands.sum() <= 58 and 0 < spans.sum() <= 27
        np.testing.assert_array_equal(example, bands[None] | spans[:, None])
    assert len({example.tobytes() for example in hidden}) == 3


def test_lengths_of_masks_are_uniform_up_to_the_width():
    audio = Audio(seconds=0.5, mean=0.0, std=1.0)
    noise = np.repeat(waveforms(1, audio), 400, axis=0)
    inputs = {"waveform": noise, "has_audio": np.ones(400, np.float32)}
    hidden = np.asarray(spectrograms(audio, [masks((0, 0), (1, 6))], inputs))[..., 0, 0] == 0
    counts = np.bincount(hidden.sum(axis=1), minlength=6)
    assert len(counts) == 6 and counts.min() > 35


def test_a_circular_shift_rolls_along_time():
    plain, shifted = transform(train=False), transform(circular_shift)
    for before, after in zip(plain, shifted, strict=True):
        rolls = [np.allclose(np.roll(before, k, axis=0), after, atol=1e-5) for k in range(50)]
        assert sum(rolls) == 1


def test_an_example_without_audio_is_zeros_whatever_its_waveform():
    spectrogram = transform(circular_shift, has_audio=[1, 0, 1])
    assert not spectrogram[1].any() and spectrogram[0].any() and spectrogram[2].any()


def test_presence_marks_examples_with_audio():
    inputs = {
        "rgb": np.zeros((3, 2, 8, 8, 3), np.uint8),
        "waveform": waveforms(),
        "has_audio": np.array([1, 0, 1], np.float32),
    }
    both = InputTransform({"rgb": Rgb(), "audio": AUDIO})
    seen = both(inputs, rng=RNG, train=True)
    assert {name: x.tolist() for name, x in seen["presence"].items()} == {
        "rgb": [1, 1, 1],
        "audio": [1, 0, 1],
    }
    deaf = InputTransform({"rgb": Rgb()})({"rgb": inputs["rgb"]}, rng=RNG, train=True)
    assert set(deaf) == {"rgb"}
    np.testing.assert_array_equal(deaf["rgb"], seen["rgb"])
    blind = InputTransform({"audio": AUDIO})(inputs, rng=RNG, train=True)
    assert set(blind) == {"audio", "presence"} and set(blind["presence"]) == {"audio"}


def test_masks_wider_than_the_spectrogram_are_refused():
    with pytest.raises(ConfigError, match="time_masks is .* a width up to 50 for these"):
        transform(masks((0, 0), (1, 51)))


def test_statistics_are_required():
    inputs = Audio(seconds=0.5).blank((1, 1, 1), 2)
    with pytest.raises(UserError, match="data stats"):
        spectrograms(Audio(seconds=0.5), (), inputs)


def test_spectrograms_do_not_use_reduced_precision_products():
    program = str(jax.make_jaxpr(lambda waveform: log_mel(waveform, AUDIO))(jnp.zeros((1, 8_240))))
    assert program.count("dot_general") == 1 and "HIGHEST" in program
