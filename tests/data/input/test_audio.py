from typing import Any

import numpy as np
import pytest

from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.data.input.audio import FULL_SCALE, is_audible
from scenic_video.data.input.geometry import Geometry
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.sources.fingerprint import examples_fingerprint
from scenic_video.modalities.audio import Audio

FPS, RATE = 25, 16_000


@pytest.fixture(scope="module")
def film(tmp_path_factory, write_video, moving_frames):
    """Four seconds; the pitch of its audio rises from 200 Hz by 100 Hz per second."""
    time = np.arange(4 * RATE) / RATE
    audio = 0.5 * np.sin(2 * np.pi * (200 * time + 50 * time**2))
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    return write_video(path, moving_frames(4 * FPS, 32, 32), fps=FPS, audio=audio)


def read_audio(path, *, num_clips: int = 1, num_crops: int = 1, window=None, **fields: Any):
    defaults: dict[str, Any] = dict(
        num_frames=5, stride=5, resize=32, crop=32, modalities=("rgb", "audio")
    )
    audio = Audio(**{"seconds": 1.0} | fields.pop("audio", {}))
    preprocessing = Preprocessing(**defaults | fields, audio=audio)
    example = Example("v", path, {"label": (0,)}, **(window or {}))
    return preprocessing.eval_inputs(example, num_clips=num_clips, num_crops=num_crops)


def pitch(waveform):
    """The mean frequency of a tone in Hz, from its zero crossings."""
    samples = waveform.astype(np.float64)
    crossings = np.flatnonzero((samples[:-1] < 0) & (samples[1:] >= 0))
    return (len(crossings) - 1) / (crossings[-1] - crossings[0]) * RATE


def test_eight_seconds_give_exactly_800_columns():
    audio = Audio()
    assert (audio.num_columns, audio.num_samples) == (800, 800 * 160 - 160 + 400)
    assert Audio(seconds=10).num_columns == 1000
    assert Audio(seconds=2.56).num_columns == 256


def test_audio_is_read_for_the_time_of_the_frames(film):
    inputs = read_audio(film, num_clips=4)
    assert inputs["waveform"].shape == (4, 16_240) and inputs["waveform"].dtype == np.int16
    assert inputs["has_audio"].tolist() == [1.0] * 4
    # Clips of 0.8 s start at 0, 1, 2 and 3 s; audio windows have the same centres.
    middles = [200 + 100 * (begin + 0.4) for begin in (0.1, 1, 2, 3)]
    np.testing.assert_allclose([pitch(w) for w in inputs["waveform"]], middles, atol=8)


def test_crops_of_a_clip_share_its_audio(film):
    inputs = read_audio(film, num_clips=2, num_crops=3)
    assert inputs["rgb"].shape[0] == len(inputs["waveform"]) == len(inputs["has_audio"]) == 6
    for view in range(6):
        np.testing.assert_array_equal(inputs["waveform"][view], inputs["waveform"][view % 2])


def test_audio_of_a_training_clip_is_centred_on_its_frames(film):
    preprocessing = Preprocessing(
        num_frames=2,
        resize=32,
        crop=32,
        modalities=("rgb", "audio"),
        audio=Audio(seconds=0.2),
    )
    silent_film = Preprocessing(num_frames=2, resize=32, crop=32)
    pitches, clips = [], []
    for seed in range(12):
        inputs, frames = (
            p.train_inputs(Example("v", film, {}), np.random.default_rng(seed), Geometry(flip=True))
            for p in (preprocessing, silent_film)
        )
        np.testing.assert_array_equal(inputs["rgb"], frames["rgb"])
        assert inputs["waveform"].shape == (3440,) and inputs["has_audio"].shape == ()
        pitches.append(pitch(inputs["waveform"]))
        clips.append(np.random.default_rng(seed).integers(99) / FPS + 0.02)
    expected = [200 + 100 * np.clip(middle, 0.11, 3.89) for middle in clips]
    np.testing.assert_allclose(pitches, expected, atol=15)


def test_audio_stays_within_the_times_of_the_example(film):
    inputs = read_audio(film, window=dict(start=1.0, end=2.5), num_clips=2)
    assert all(290 < pitch(waveform) < 460 for waveform in inputs["waveform"])
    both = read_audio(film, window=dict(start=1.0, end=2.5), audio=dict(seconds=1.5), num_clips=2)
    np.testing.assert_array_equal(*both["waveform"])


@pytest.mark.parametrize("how", ["loop", "pad"])
def test_a_short_example_is_looped_or_padded_with_silence(film, how):
    (waveform,) = read_audio(film, window=dict(start=1.0, end=1.5), short_clips=how)["waveform"]
    assert np.abs(waveform[:7900]).max() > 0.4 * FULL_SCALE
    if how == "loop":
        np.testing.assert_array_equal(waveform[8000:16_000], waveform[:8000])
    else:
        assert not waveform[8000:].any()


def test_no_audio_track_and_a_silent_one_are_marked_as_absent(tmp_path, write_video, moving_frames):
    frames = moving_frames(FPS, 32, 32)
    for name, audio in (("none", None), ("silent", np.zeros(RATE)), ("faint", np.full(RATE, 3e-5))):
        inputs = read_audio(write_video(tmp_path / f"{name}.mp4", frames, fps=FPS, audio=audio))
        assert inputs["has_audio"].tolist() == [0.0], name
        assert inputs["waveform"].shape == (1, 16_240)
    whisper = 0.01 * np.sin(np.arange(RATE) / 5)
    inputs = read_audio(write_video(tmp_path / "whisper.mp4", frames, fps=FPS, audio=whisper))
    assert inputs["has_audio"].tolist() == [1.0]


def test_audio_can_be_the_only_modality(film):
    inputs = read_audio(film, modalities=("audio",))
    assert set(inputs) == {"waveform", "has_audio"}
    np.testing.assert_array_equal(inputs["waveform"], read_audio(film)["waveform"])


def test_blank_inputs_are_shaped_like_real_ones(film):
    preprocessing = Preprocessing(
        num_frames=5, resize=32, crop=32, modalities=("rgb", "audio"), audio=Audio(seconds=1)
    )
    real = preprocessing.eval_inputs(Example("v", film, {}), num_clips=2)
    blank = preprocessing.blank_inputs(2)
    assert {k: (x.shape, x.dtype) for k, x in real.items()} == {
        k: (x.shape, x.dtype) for k, x in blank.items()
    }


def test_a_window_is_audible_from_80_decibels_below_full_scale():
    waveforms = np.array([[0, 3, -3], [0, 4, 0], [0, 0, -32767]], np.int16)
    assert is_audible(waveforms).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "fields, message",
    [
        (dict(seconds=0), "Audio.seconds is 0; wanted a number above 0"),
        (dict(fft_size=256), "fft_size of 400 or more"),
        (dict(highest_frequency=9000), "highest_frequency <= 8000"),
        (dict(mean=1.0), "mean and std both"),
        (dict(mean=1.0, std=0.0), "std is 0.0"),
        (dict(log_offset=0), "log_offset is 0"),
    ],
)
def test_invalid_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Audio(**fields)


def test_fields_of_audio_need_audio_as_a_modality():
    assert Preprocessing(2, modalities=("rgb", "audio")).modalities["audio"] == Audio()
    with pytest.raises(ValueError, match="audio is given, but preprocessing.modalities are rgb"):
        Preprocessing(num_frames=2, audio=Audio())
    with pytest.raises(ValueError, match="no field 'second'. Did you mean 'seconds'"):
        Preprocessing.from_dict({"num_frames": 2, "modalities": ["audio"], "audio": {"second": 8}})


def dataset_with(*measured):
    examples = {"train": [Example("a", "a.mp4", {})]}
    return Dataset("films", examples, LabelSpace({}), statistics={"audio": list(measured)})


def test_statistics_come_from_the_dataset_unless_given():
    measured = {"mean": -1.5, "std": 2.0, "scale": Audio().scale, "dataset": "films"}
    measured |= {"split": "train", "examples": examples_fingerprint(dataset_with().splits["train"])}
    other = measured | {"examples": "others"}

    def with_statistics(audio, *measured):
        dataset = dataset_with(*measured)
        return audio.with_statistics(dataset, split="train", command=lambda _: "data stats films")

    found = with_statistics(Audio(), measured)
    assert (found.mean, found.std) == (-1.5, 2.0)
    own = Audio(mean=1.102, std=2.762)
    assert with_statistics(own) == own
    with pytest.raises(ValueError, match="'films' has no statistics.*`data stats films`"):
        with_statistics(Audio())
    with pytest.raises(ValueError, match="are of spectrograms with.*`data stats films`"):
        with_statistics(Audio(num_mel_bins=64), measured)
    with pytest.raises(ValueError, match="on other examples.*on films, train.*`data stats f"):
        with_statistics(Audio(), other)
