"""Computes log-mel spectrograms of waveforms, on the device."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from scenic_video.data.input.audio import AudioSettings

KALDI_EMPHASIS = 0.97
KALDI_FLOOR = float(np.finfo(np.float32).eps)
"""The least energy of a mel bin, whose logarithm is -15.9."""


def log_mel(
    waveform: Float[Array, "*batch samples"], audio: AudioSettings
) -> Float[Array, "*batch columns bins"]:
    """log(mel + offset) of magnitudes, or as Kaldi has it, see `AudioSettings`; `waveform` is in
    [-1, 1]."""
    num_columns = 1 + (waveform.shape[-1] - audio.window) // audio.hop
    at = np.arange(num_columns)[:, None] * audio.hop + np.arange(audio.window)
    frames, kaldi = waveform[..., at], audio.spectrogram == "kaldi"
    if kaldi:
        frames = _emphasised(frames)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(audio.window) / (audio.window - kaldi))
    frames *= jnp.asarray(hann, waveform.dtype).reshape((1,) * waveform.ndim + (-1,))
    spectrum = jnp.abs(jnp.fft.rfft(frames, audio.fft_size))
    if kaldi:
        spectrum = jnp.square(spectrum)
    # By default GPUs and TPUs round the factors to mantissas of 10 or 7 bits.
    mel = jnp.matmul(spectrum, mel_matrix(audio), precision=jax.lax.Precision.HIGHEST)
    return jnp.log(jnp.maximum(mel, KALDI_FLOOR) if kaldi else mel + audio.log_offset)


def _emphasised(frames: Float[Array, "*batch samples"]) -> Float[Array, "*batch samples"]:
    """Each frame without its mean, minus `KALDI_EMPHASIS` of the sample before."""
    frames = frames - frames.mean(axis=-1, keepdims=True)
    before = jnp.concatenate([frames[..., :1], frames[..., :-1]], axis=-1)
    return frames - KALDI_EMPHASIS * before


def mel_matrix(audio: AudioSettings) -> Float32[np.ndarray, "frequencies bins"]:
    """Filters that are triangular on the mel scale (HTK: 1127 log(1 + f / 700)), 0 at 0 Hz."""
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
