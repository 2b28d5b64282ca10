"""Reads the audio of a file, in sync with its frames."""

import contextlib
import itertools
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.stream import AudioStream
from av.error import FFmpegError
from jaxtyping import Float32

from scenic_video.data.decoding.containers import Source, StreamReader, naming_failures
from scenic_video.data.decoding.downmix import resampled
from scenic_video.data.decoding.streams import best_audio

LARGEST_SLIP = 0.1
"""Seconds by which timestamps may deviate from the count of samples without being a gap."""

LONGEST_SILENCE = 10
"""Seconds of silence in one chunk."""

SEEK_EARLY = 1
"""Seconds of audio to decode before the requested start, for codecs with memory."""


def audio_track(
    source: Source, *, begin: Fraction, duration: float, rate: int
) -> Iterator[Float32[np.ndarray, "samples"]]:
    """Chunks of mono audio at `rate` Hz in [-1, 1], from `begin` for `duration` seconds.

    `begin` is a time on the file's own clock. Gaps, also at the start, are filled with silence, and
    overlaps are cut, so that sample n is at n / rate seconds after `begin`. Chunks end early if the
    audio does, and there are none if the file has no audio.
    """
    filled, total = 0, round(duration * rate)
    for position, samples in _placed(source, begin=begin, rate=rate):
        slip = filled - position
        if filled == 0 or abs(slip) > LARGEST_SLIP * rate:
            # Fill the gap, or cut the overlap.
            for silence in _silence(min(max(0, -slip), total - filled), rate=rate):
                yield silence
                filled += len(silence)
            samples = samples[max(0, slip) :]
        samples = samples[: total - filled]
        if len(samples):
            yield samples
        filled += len(samples)
        if filled >= total:
            return


def _silence(length: int, *, rate: int) -> Iterator[Float32[np.ndarray, "samples"]]:
    """In chunks, since a small file may state a gap of years."""
    for start in range(0, length, LONGEST_SILENCE * rate):
        yield np.zeros(min(LONGEST_SILENCE * rate, length - start), np.float32)


def _placed(
    source: Source, *, begin: Fraction, rate: int
) -> Iterator[tuple[int, Float32[np.ndarray, "samples"]]]:
    """Chunks of audio and the positions of their first samples, counted from `begin`."""
    with StreamReader(source, best_audio) as reader, naming_failures(reader.name):
        if reader.stream is None:
            return
        for chunk in resampled(_frames(reader, reader.stream, begin), rate=rate):
            if chunk.pts is not None and chunk.time_base is not None:
                position = round((chunk.pts * chunk.time_base - begin) * rate)
                yield position, chunk.to_ndarray()[0]


def _frames(
    reader: StreamReader[AudioStream | None], stream: AudioStream, begin: Fraction
) -> Iterator[av.AudioFrame]:
    """Decoded frames with their times, from `begin` or earlier."""
    first_time, time_base = Fraction(0), stream.time_base or Fraction(1, 1000)
    if stream.start_time is not None:
        first_time = stream.start_time * time_base
    if begin - SEEK_EARLY > first_time:
        frames = _decoded(reader, int((begin - SEEK_EARLY) / time_base))
        first = next(frames, None)
        time = None if first is None else _time(first)
        # A seek may land after the requested audio, or where no timestamps are stated.
        if first is not None and time is not None and time <= begin:
            yield from timed(itertools.chain([first], frames), time)
            return
    yield from timed(_decoded(reader, None), first_time)


def _decoded(
    reader: StreamReader[AudioStream | None], start: int | None
) -> Iterator[av.AudioFrame]:
    """Frames from pts `start` or earlier; broken packets are skipped."""
    for packet in itertools.chain(reader.packets(start), [None]):
        if reader.stream is not None:
            with contextlib.suppress(FFmpegError):
                yield from reader.stream.codec_context.decode(packet)


def timed(frames: Iterator[av.AudioFrame], clock: Fraction) -> Iterator[av.AudioFrame]:
    """The frames, each with a time; one that states none follows the one before.

    Only the first frame of a packet needs a time. If none has any, `clock` is that of the first.
    """
    for frame in frames:
        if not frame.sample_rate:
            continue
        stated = _time(frame)
        clock = clock if stated is None else stated
        frame.time_base = Fraction(1, frame.sample_rate)
        frame.pts = round(clock * frame.sample_rate)
        clock += Fraction(frame.samples, frame.sample_rate)
        yield frame


def _time(frame: av.AudioFrame) -> Fraction | None:
    ticks = frame.dts if frame.pts is None else frame.pts
    return None if ticks is None or not frame.time_base else ticks * frame.time_base
