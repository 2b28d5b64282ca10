"""The audio of a clip: which part of the track it is, and the settings of its spectrogram."""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from jaxtyping import Int16

from scenic_video.config import check_fields, require
from scenic_video.data.decoding.audio_track import audio_track
from scenic_video.data.decoding.containers import Source
from scenic_video.field_types import NonNegative, Number, Positive, PositiveInt, Seconds

SILENCE = 1e-4
"""A window without a sample above this (of 1: -80 dB) is silent and counts as no audio."""

FULL_SCALE = 32767
"""The int16 value of a sample of 1."""


NORMALISATION_FIELDS = ("mean", "std", "statistics")
"""Fields that do not change how a spectrogram is computed."""


@dataclasses.dataclass(frozen=True)
class AudioSettings:
    """How much audio belongs to a clip, and how its log-mel spectrogram is computed.

    The window of `seconds` is centred on the clip's frames, and shifted inwards near an end of the
    example. Its length does not depend on that of the frames, which varies with the frame rate of
    each file, since the waveforms of a batch have equal lengths. It gives exactly seconds /
    `hop_seconds` columns (8 s: 800) of `num_mel_bins`: log(mel + `log_offset`) of magnitudes with a
    periodic Hann window of `window_seconds`, on the HTK mel scale from `lowest_frequency` to
    `highest_frequency` (Hz). `spectrogram` "kaldi" is that of Kaldi, as of AST: of powers, floored
    instead of offset, with a symmetric window over samples without mean and with pre-emphasis.

    `mean` and `std` normalise the spectrogram; None means those that `scenic-video data stats`
    computed for the dataset and saved beside it, or in the folder `statistics`, its --out.

    Errors: UserError for invalid fields.
    """

    seconds: Seconds = 8.0
    sample_rate: PositiveInt = 16_000
    window_seconds: Seconds = 0.025
    hop_seconds: Seconds = 0.01
    fft_size: PositiveInt = 512
    num_mel_bins: PositiveInt = 128
    lowest_frequency: NonNegative = 125.0
    highest_frequency: Positive = 7500.0
    log_offset: Positive = 0.01
    spectrogram: Literal["magnitude", "kaldi"] = "magnitude"
    mean: Number | None = None
    std: Positive | None = None
    statistics: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        wanted = {
            "seconds long enough for one column": self.num_columns >= 1,
            "hop_seconds of at least one sample": self.hop >= 1,
            f"fft_size of {self.window} or more, the samples of a window": (
                self.fft_size >= self.window >= 1
            ),
            f"0 <= lowest_frequency < highest_frequency <= {self.sample_rate / 2:g}": (
                self.lowest_frequency < self.highest_frequency <= self.sample_rate / 2
            ),
            "mean and std both, or neither": (self.mean is None) == (self.std is None),
        }
        require(wanted, of=self)

    @property
    def hop(self) -> int:
        """Samples from one column to the next."""
        return round(self.hop_seconds * self.sample_rate)

    @property
    def window(self) -> int:
        """Samples per column."""
        return round(self.window_seconds * self.sample_rate)

    @property
    def num_columns(self) -> int:
        """Columns (time steps) of the spectrogram."""
        return round(self.seconds / self.hop_seconds)

    @property
    def num_samples(self) -> int:
        """Samples of the waveform: slightly more than `seconds`, to fill the last column."""
        return (self.num_columns - 1) * self.hop + self.window

    @property
    def scale(self) -> dict[str, Any]:
        """The fields on which `mean` and `std` depend."""
        fields = dataclasses.asdict(self)
        return {k: v for k, v in fields.items() if k not in ("seconds", *NORMALISATION_FIELDS)}

    def waveforms(
        self,
        source: Source,
        middles: Sequence[float],
        *,
        begin: Fraction,
        duration: float,
        short_clips: str,
    ) -> Int16[np.ndarray, "n samples"]:
        """One window around each of `middles`, seconds after `begin` on the file's clock.

        The example lasts `duration` seconds from `begin`. If it is shorter than a window, it
        starts again ("loop") or is followed by silence ("pad"). Without audio, samples are zeros.
        """
        total = round(duration * self.sample_rate)
        last = max(0, total - self.num_samples)
        starts = [
            min(max(0, round(middle * self.sample_rate - self.num_samples / 2)), last)
            for middle in middles
        ]
        first = min(starts)
        samples = self._samples(
            source,
            begin=begin + Fraction(first, self.sample_rate),
            number=min(total, max(starts) + self.num_samples) - first,
        )
        if len(samples) < self.num_samples:
            samples = _fill(samples, self.num_samples, short_clips)
        windows = [samples[start - first :][: self.num_samples] for start in starts]
        return np.round(np.stack(windows) * FULL_SCALE).astype(np.int16)

    def _samples(self, source: Source, *, begin: Fraction, number: int) -> np.ndarray:
        """float32 [number] in [-1, 1]; silence where the file has no audio."""
        seconds = number / self.sample_rate
        samples = np.zeros(number, np.float32)
        filled = 0
        for chunk in audio_track(source, begin=begin, duration=seconds, rate=self.sample_rate):
            samples[filled : filled + len(chunk)] = chunk[: number - filled]
            filled += len(chunk)
        return np.clip(samples, -1, 1)


def is_audible(waveforms: Int16[np.ndarray, "n samples"]) -> np.ndarray:
    """float32 [n]: 0 for silent windows, 1 for others."""
    return (np.abs(waveforms.astype(np.int32)).max(axis=-1) > SILENCE * FULL_SCALE).astype(
        np.float32
    )


def _fill(samples: np.ndarray, number: int, short_clips: str) -> np.ndarray:
    if short_clips == "loop" and len(samples):
        return np.resize(samples, number)
    return np.pad(samples, (0, number - len(samples)))
