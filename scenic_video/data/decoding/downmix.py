"""Converts audio of any layout, format and rate to one channel of floats."""

import itertools
from collections.abc import Iterator

import av
import numpy as np
from av.error import FFmpegError

WEIGHTS_SUM_TO_ONE = {"rematrix_maxval": "1"}
"""For FFmpeg's resampler, which otherwise amplifies what several channels share."""


def resampled(frames: Iterator[av.AudioFrame], *, rate: int) -> Iterator[av.AudioFrame]:
    """One channel of floats at `rate`, mixed by the matrix of the channels' layout.

    The weights sum to 1, so that a tone in all channels keeps its level. Channels of unknown
    position have equal weights. When the layout or rate changes, a new resampler continues.
    """
    for _, alike in itertools.groupby(
        frames, key=lambda frame: (frame.format.name, frame.layout.name, frame.sample_rate)
    ):
        first = next(alike)
        alike = itertools.chain([first], alike)
        if not _has_matrix(first):
            alike = map(_mean_of_channels, alike)
        resampler = _to_mono(rate)
        for frame in itertools.chain(alike, [None]):
            yield from resampler.resample(frame)


def _to_mono(rate: int) -> av.AudioResampler:
    return av.AudioResampler(format="fltp", layout="mono", rate=rate, options=WEIGHTS_SUM_TO_ONE)


def _has_matrix(frame: av.AudioFrame) -> bool:
    """Whether FFmpeg can mix the frame's channels."""
    try:
        _to_mono(frame.sample_rate).resample(frame)
    except FFmpegError:
        return False
    return True


def _mean_of_channels(frame: av.AudioFrame) -> av.AudioFrame:
    # Interleaved first, since PyAV supports at most eight planar channels.
    (packed,) = av.AudioResampler(format="flt").resample(frame)
    channels = packed.to_ndarray().reshape(-1, frame.layout.nb_channels)
    mono = av.AudioFrame.from_ndarray(
        channels.mean(axis=1, dtype=np.float32)[None], format="fltp", layout="mono"
    )
    mono.sample_rate, mono.time_base, mono.pts = frame.sample_rate, frame.time_base, frame.pts
    return mono
