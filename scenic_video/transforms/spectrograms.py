"""From waveforms to log-mel spectrograms, on the device."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int16, Key

from scenic_video.config import ConfigError
from scenic_video.data.input.audio import FULL_SCALE, Audio
from scenic_video.transforms.augmentation import Augment, augment


@dataclasses.dataclass(frozen=True)
class SpectrogramTransform:
    """Turns "waveform" into a normalised log-mel spectrogram, augmented in training.

    `augmentations` change spectrograms [columns, bins] that are normalised already: 0 is the mean.
    """

    audio: Audio
    augmentations: Sequence[Augment] = ()

    def __post_init__(self):
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
            spectrogram = augment(spectrogram, self.augmentations, rng)
        return jnp.where(has_audio[:, None, None] > 0, spectrogram, 0.0)[..., None]


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
