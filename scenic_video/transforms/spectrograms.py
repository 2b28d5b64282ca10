"""From waveforms to what a model hears, on the device: log-mel spectrograms and SpecAugment."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Len
from jaxtyping import Array, Float, Float32, Int16, Key

from scenic_video.config import ConfigError
from scenic_video.data.input.audio import FULL_SCALE, Audio
from scenic_video.field_types import Count


@dataclasses.dataclass(frozen=True)
class SpectrogramTransform:
    """Turns "waveform" into a normalised log-mel spectrogram, augmented in training.

    `frequency_masks` and `time_masks` are (number, width): so many bands of mel bins, or spans of
    columns, of a length drawn from 0 to width - 1, are set to the mean (SpecAugment, Park et al.,
    2019, section 2). `circular_shift` rolls the spectrogram along time by a random amount.
    """

    audio: Audio
    frequency_masks: Annotated[Sequence[Count], Len(2, 2)] = (0, 0)
    time_masks: Annotated[Sequence[Count], Len(2, 2)] = (0, 0)
    circular_shift: bool = False

    def __post_init__(self):
        sizes = {"frequency_masks": self.audio.num_mel_bins, "time_masks": self.audio.num_columns}
        for name, size in sizes.items():
            masks = getattr(self, name)
            if len(masks) != 2 or min(masks) < 0 or masks[1] > size:
                raise ConfigError(
                    f"audio_transform.{name} is (number, width), with a width up to {size}; got "
                    f"{tuple(masks)}."
                )
        if self.audio.mean is None:
            raise ConfigError(
                "Spectrograms are normalised by preprocessing.audio.mean and std, which are not "
                "set. `scenic-video data stats` computes them."
            )

    def __call__(
        self,
        waveform: Int16[Array | np.ndarray, "b samples"],
        has_audio: Float32[Array | np.ndarray, " b"],
        *,
        rng: Key[Array, ""],
        train: bool,
    ) -> Float32[Array, "b columns bins 1"]:
        """Zeros, the mean, where an example has no audio."""
        assert self.audio.mean is not None and self.audio.std is not None
        spectrogram = log_mel(jnp.asarray(waveform, jnp.float32) / FULL_SCALE, self.audio)
        spectrogram = (spectrogram - self.audio.mean) / self.audio.std
        if train:
            rngs = jax.vmap(jax.random.fold_in, (None, 0))(rng, jnp.arange(len(spectrogram)))
            spectrogram = jax.vmap(self._augment)(spectrogram, rngs)
        return jnp.where(has_audio[:, None, None] > 0, spectrogram, 0.0)[..., None]

    def _augment(
        self, spectrogram: Float[Array, "columns bins"], rng: Key[Array, ""]
    ) -> Float[Array, "columns bins"]:
        shift_rng, frequency_rng, time_rng = jax.random.split(rng, 3)
        if self.circular_shift:
            shift = jax.random.randint(shift_rng, (), 0, len(spectrogram))
            spectrogram = jnp.roll(spectrogram, shift, axis=0)
        columns, bins = spectrogram.shape
        hidden = _spans(time_rng, columns, *self.time_masks)[:, None]
        hidden = hidden | _spans(frequency_rng, bins, *self.frequency_masks)[None]
        return jnp.where(hidden, 0.0, spectrogram)


def log_mel(
    waveform: Float[Array, "*batch samples"], audio: Audio
) -> Float[Array, "*batch columns bins"]:
    """log(mel + offset) of magnitudes, as `Audio` says; `waveform` is in [-1, 1]."""
    num_columns = 1 + (waveform.shape[-1] - audio.window) // audio.hop
    at = np.arange(num_columns)[:, None] * audio.hop + np.arange(audio.window)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(audio.window) / audio.window)
    frames = waveform[..., at] * jnp.asarray(hann, waveform.dtype).reshape(
        (1,) * waveform.ndim + (-1,)
    )
    magnitudes = jnp.abs(jnp.fft.rfft(frames, audio.fft_size))
    # By default GPUs and TPUs round the factors of a product to 10 or 7 bits.
    mel = jnp.matmul(magnitudes, mel_matrix(audio), precision=jax.lax.Precision.HIGHEST)
    return jnp.log(mel + audio.log_offset)


def mel_matrix(audio: Audio) -> Float32[np.ndarray, "frequencies bins"]:
    """Triangles that are straight in mels (HTK: 1127 log(1 + f / 700)); no frequency 0."""
    frequencies = np.linspace(0, audio.sample_rate / 2, audio.fft_size // 2 + 1)[1:]
    ends = np.linspace(
        _mels(audio.lowest_frequency), _mels(audio.highest_frequency), audio.num_mel_bins + 2
    )
    low, centre, high = ends[:-2], ends[1:-1], ends[2:]
    mels = _mels(frequencies)[:, None]
    weights = np.minimum((mels - low) / (centre - low), (high - mels) / (high - centre))
    return np.pad(np.maximum(weights, 0), ((1, 0), (0, 0))).astype(np.float32)


def _mels(frequency):
    return 1127.0 * np.log1p(frequency / 700.0)


def _spans(rng: Key[Array, ""], size: int, number: int, width: int) -> Array:
    """bool [size]: `number` random spans of 0 to width - 1 places each."""
    if not number or not width:
        return jnp.zeros(size, bool)
    length_rng, start_rng = jax.random.split(rng)
    lengths = jax.random.randint(length_rng, (number, 1), 0, width)
    starts = jax.random.uniform(start_rng, (number, 1)) * (size - lengths + 1)
    starts = jnp.floor(starts).astype(jnp.int32)
    places = jnp.arange(size)[None]
    return ((places >= starts) & (places < starts + lengths)).any(axis=0)
