"""The sound of a file, in step with its pictures."""

import contextlib
import itertools
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from jaxtyping import Float32

from scenic_video.data.containers import WITHOUT_INDEX, Source, open_container

LARGEST_SLIP = 0.1
"""Seconds by which timestamps may disagree with the count of samples before that is a gap."""

SEEK_EARLY = 1
"""Seconds before the wanted sound at which decoding begins, for codecs that lean on their past."""


def sound_track(
    source: Source, *, begin: Fraction, duration: float, rate: int
) -> Iterator[Float32[np.ndarray, "samples"]]:
    """Mono sound at `rate` Hz in [-1, 1], piece by piece, from `begin` on for `duration` seconds.

    `begin` is a time on the file's own clock. Gaps, in front too, are silence, and what overlaps
    is cut, so that sample n is heard n / rate seconds after `begin`. Sound that ends early, or a
    file that has none, ends the pieces.
    """
    filled, total = 0, round(duration * rate)
    for position, samples in _placed(source, begin=begin, rate=rate):
        slip = filled - position
        if filled == 0 or abs(slip) > LARGEST_SLIP * rate:
            # Fill what lies between, or cut what is filled already.
            silence = np.zeros(min(max(0, -slip), total - filled), np.float32)
            samples = np.concatenate([silence, samples[max(0, slip) :]])
        samples = samples[: total - filled]
        if len(samples):
            yield samples
        filled += len(samples)
        if filled >= total:
            return


def _placed(
    source: Source, *, begin: Fraction, rate: int
) -> Iterator[tuple[int, Float32[np.ndarray, "samples"]]]:
    """Pieces of sound and the positions of their first samples, counted from `begin`."""
    with open_container(source) as container:
        if not container.streams.audio:
            return
        frames = _frames(container, container.streams.audio[0], begin)
        for piece in _resampled(frames, rate=rate):
            if piece.pts is not None and piece.time_base is not None:
                position = round((piece.pts * piece.time_base - begin) * rate)
                yield position, piece.to_ndarray()[0]


def _resampled(frames: Iterator[av.AudioFrame], *, rate: int) -> Iterator[av.AudioFrame]:
    """Mono at `rate`; where the sound changes its channels or its rate, a new resampler goes on."""
    for _, alike in itertools.groupby(
        frames, key=lambda frame: (frame.format.name, frame.layout.name, frame.sample_rate)
    ):
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
        for frame in itertools.chain(alike, [None]):
            yield from resampler.resample(frame)


def _frames(
    container: InputContainer, stream: AudioStream, begin: Fraction
) -> Iterator[av.AudioFrame]:
    """Decoded frames from `begin` or earlier on; broken packets are left out."""
    if stream.time_base and container.format.name not in WITHOUT_INDEX:
        start = int((begin - SEEK_EARLY) / stream.time_base)
        if start > (stream.start_time or 0):
            with contextlib.suppress(FFmpegError):  # then from the beginning
                container.seek(start, stream=stream)
    packets = container.demux(stream)
    while True:
        try:
            yield from next(packets).decode()
        except FFmpegError:
            continue
        except StopIteration:
            return
