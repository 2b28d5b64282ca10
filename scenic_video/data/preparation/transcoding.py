"""Makes videos cheap to read: small frames, frequent keyframes, no costly decoding filters."""

import dataclasses
import functools
import heapq
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.filter import Graph
from av.video.stream import VideoStream

from scenic_video.atomic_files import replacing
from scenic_video.data.decoding.audio_track import audio_track
from scenic_video.data.decoding.containers import Source, UnreadableVideo
from scenic_video.data.decoding.display_matrix import orientation
from scenic_video.data.decoding.filter_graph import build_graph
from scenic_video.data.decoding.video_reader import VideoReader
from scenic_video.data.preparation.jobs import Job, Result, work

AUDIO_BIT_RATE = 48_000


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How videos are encoded.

    The shorter side becomes `short_side` pixels unless it is already shorter; every `gop`-th frame
    is a keyframe; `crf` and `preset` are x264's quality (lower is better) and effort. Audio becomes
    mono at `audio_rate` Hz; None leaves it out.
    """

    short_side: int = 256
    gop: int = 16
    crf: int = 23
    preset: str = "veryfast"
    audio_rate: int | None = 16_000

    @property
    def x264_options(self) -> dict[str, str]:
        """Without mbtree, whose output with B-frames differs from run to run."""
        options = {"preset": self.preset, "tune": "fastdecode", "g": str(self.gop)}
        return options | {"crf": str(self.crf), "x264-params": "mbtree=0"}


def transcode(
    source: Source,
    destination: str | os.PathLike[str],
    *,
    start: float | int = 0.0,
    end: float | int | None = None,
    overwrite: bool = False,
    **encoding: Any,
) -> bool:
    """Writes a video, or its part from `start` to `end` seconds, as H.264 and AAC in mp4.

    `encoding` are the fields of `Encoding`. Frames keep their exact times relative to the first
    one, and are rotated upright. Audio is in sync with them.

    An existing file is kept and False is returned, unless `overwrite` is set. Files are never left
    half written. Errors: UnreadableVideo.
    """
    destination = Path(destination)
    if destination.exists() and not overwrite:
        return False
    destination.parent.mkdir(parents=True, exist_ok=True)
    chosen = Encoding(**encoding)
    name = f"video of {destination}" if isinstance(source, bytes) else os.fspath(source)
    with VideoReader(source, name=name, start=start, end=end) as reader:
        try:
            with replacing(destination) as scratch:
                frames = _stored_frames(reader, chosen.short_side)
                rate = chosen.audio_rate
                audio = _audio(source, reader, rate) if rate else iter(())
                encode(scratch, reader, frames, audio, chosen.x264_options)
        except FFmpegError as error:
            raise UnreadableVideo(f"{name}: cannot be transcoded: {error.strerror}.") from error
    return True


def transcode_many(
    jobs: Iterable[Job], *, num_workers: int | None = None, **options: Any
) -> Iterator[Result]:
    """Transcodes many files with `work`; `options` are those of `transcode`."""
    yield from work(functools.partial(_run, options=options), jobs, num_workers=num_workers)


def _run(job: Job, *, options: dict[str, Any]) -> bool:
    return transcode(job.source, job.destination, start=job.start, end=job.end, **options)


def encode(
    path: Path,
    reader: VideoReader,
    frames: Iterator[av.VideoFrame],
    audio: Iterator[av.AudioFrame],
    options: dict[str, str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes an mp4 with H.264, encoded with x264's `options`, and AAC; frames keep their times.

    `metadata` are tags of the file that mp4 supports, such as "comment".
    """
    first_frame, first_audio = next(frames), next(audio, None)
    tracks: list[Iterable[av.VideoFrame | av.AudioFrame]] = [itertools.chain([first_frame], frames)]
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as output:
        output.metadata.update(metadata or {})
        video, audio_stream = _add_video(output, reader, first_frame, options), None
        if first_audio is not None:
            audio_stream = _add_audio(output, first_audio)
            tracks.append(itertools.chain([first_audio], audio))
        for frame in heapq.merge(*tracks, key=lambda frame: frame.time or 0.0):
            if isinstance(frame, av.VideoFrame):
                output.mux(video.encode(frame))
            elif audio_stream is not None:
                output.mux(audio_stream.encode(frame))
        output.mux(video.encode())
        if audio_stream is not None:
            output.mux(audio_stream.encode())


def _add_video(
    output: OutputContainer, reader: VideoReader, first: av.VideoFrame, options: dict[str, str]
) -> VideoStream:
    duration = reader.finish - float(reader.timestamps[0])
    # The rate guides the bit allocation of x264; times are in units of the time base.
    rate = Fraction(len(reader.timestamps) / duration).limit_denominator(1001)
    video = output.add_stream("libx264", rate=rate, options=options)
    video.width, video.height, video.pix_fmt = first.width, first.height, first.format.name
    video.time_base = video.codec_context.time_base = reader.time_base
    video.codec_context.colorspace = first.colorspace
    video.codec_context.color_range = first.color_range
    video.codec_context.thread_count = 1  # many files are encoded in parallel
    return video


def _add_audio(output: OutputContainer, audio: av.AudioFrame) -> AudioStream:
    audio_stream = output.add_stream("aac", rate=audio.sample_rate, layout="mono")
    audio_stream.bit_rate = AUDIO_BIT_RATE
    return audio_stream


def _stored_frames(reader: VideoReader, short_side: int) -> Iterator[av.VideoFrame]:
    """The frames to store; the first one has the time 0."""
    graphs: dict[tuple, Graph] = {}
    first = size = None
    for tick, frame in reader.frames():
        first = tick if first is None else first
        size = size or stored_size(*orientation(frame).upright_size(frame), short_side=short_side)
        key = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if key not in graphs:
            graphs[key] = build_graph(frame, _filters(frame, size), time_base=reader.time_base)
        graphs[key].vpush(frame)
        filtered = graphs[key].vpull()
        filtered.pts, filtered.time_base, filtered.pict_type = tick - first, reader.time_base, 0
        yield filtered
    if first is None:
        raise UnreadableVideo(f"{reader.name}: none of its frames can be decoded.")


def stored_size(height: int, width: int, *, short_side: int) -> tuple[int, int]:
    """(height, width), both even, with a shorter side of at most `short_side`."""
    scale = min(1.0, short_side / min(height, width))
    return max(2, round(height * scale / 2) * 2), max(2, round(width * scale / 2) * 2)


def _filters(frame: av.VideoFrame, size: tuple[int, int]) -> list[tuple[str, str]]:
    scale = ("scale", f"{size[1]}:{size[0]}:flags=bicubic:out_range=tv")
    return [*orientation(frame).filters, scale, ("format", "yuv420p")]


def _audio(source: Source, reader: VideoReader, rate: int) -> Iterator[av.AudioFrame]:
    begin, position = reader.first_time, 0
    duration = reader.finish - float(reader.timestamps[0])
    for samples in audio_track(source, begin=begin, duration=duration, rate=rate):
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), position
        yield frame
        position += len(samples)
