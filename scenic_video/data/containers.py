"""Opens video files and bytes, and says in the decoder's own words why one cannot be read."""

import contextlib
import io
import os
import threading
from collections.abc import Iterator
from fractions import Fraction

import av
from av import logging
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

Source = str | bytes | os.PathLike[str]
"""A path, or the encoded bytes of a container or of a picture."""

# A seek in these lands somewhere near: they have no index.
WITHOUT_INDEX = frozenset({"mpegts", "mpeg"})

_one_diagnosis_at_a_time = threading.Lock()
DIAGNOSIS_SECONDS = 10.0


class UnreadableVideo(ValueError):
    """A file, or the wanted part of one, that yields no picture; the message names it and why."""


class Demuxer(contextlib.AbstractContextManager):
    """The packets of the video stream of a file; more than once and from anywhere.

    `name` stands for bytes in messages. Errors: UnreadableVideo.
    """

    def __init__(self, source: Source, *, name: str | None = None):
        self._source = source
        self.name = name or ("bytes" if isinstance(source, bytes) else os.fspath(source))
        self._container, self.stream = self._open()
        self._at_start = True

    @property
    def has_timestamps(self) -> bool:
        """Whether pts are stated by the file, and not guessed from the order of decoding."""
        return self._container.format.name != "avi" or not self.stream.codec_context.has_b_frames

    @property
    def time_base(self) -> Fraction:
        """Seconds a tick: the unit of timestamps."""
        return self.stream.time_base or Fraction(1, 1000)

    @property
    def origin(self) -> int:
        """The timestamp of the first frame."""
        return self.stream.start_time or 0

    @property
    def ticks_per_frame(self) -> float:
        """Of a video of constant frame rate; a guess where nothing states its rate."""
        rate = self.stream.average_rate or self.stream.guessed_rate or 25
        return float(1 / (rate * self.time_base))

    @property
    def has_audio(self) -> bool:
        return len(self._container.streams.audio) > 0

    def packets(self, start: int | None = None) -> Iterator[av.Packet]:
        """Packets in decoding order, from a keyframe at or before pts `start` where it is known.

        None is the beginning. A file that breaks off ends there.
        """
        if not self._seek(start) and not self._at_start:
            self.close()
            self._container, self.stream = self._open()
        self._at_start = False
        with contextlib.suppress(FFmpegError):
            yield from (packet for packet in self._container.demux(self.stream) if packet.size)

    def close(self) -> None:
        self._container.close()

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _seek(self, start: int | None) -> bool:
        if start is None or self._container.format.name in WITHOUT_INDEX:
            return False
        try:
            self._container.seek(start, stream=self.stream)
        except FFmpegError:
            return False
        return True

    def _open(self) -> tuple[InputContainer, VideoStream]:
        try:
            container = open_container(self._source)
        except FFmpegError as error:
            raise UnreadableVideo(f"{self.name}: {why_unreadable(self._source, error)}") from error
        try:
            return container, self._video_stream(container)
        except BaseException:
            container.close()
            raise

    def _video_stream(self, container: InputContainer) -> VideoStream:
        moving = [s for s in container.streams.video if not is_cover(s)]
        if not moving:
            kinds = {"cover" if s.type == "video" else s.type for s in container.streams}
            found = ", ".join(sorted(kinds)) or "no stream"
            raise UnreadableVideo(f"{self.name}: there is no video in it, only {found}.")
        stream = moving[0]
        if stream.codec_context is None:
            raise UnreadableVideo(f"{self.name}: FFmpeg has no decoder for its video.")
        # One thread a clip costs least: it is clips that are decoded side by side.
        stream.codec_context.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        return stream


def open_container(source: Source) -> InputContainer:
    """An open container; a path is never taken for a URL, whatever colons it has."""
    if isinstance(source, bytes):
        return av.open(io.BytesIO(source), "r")
    return av.open(f"file:{os.fspath(source)}", "r")


def is_cover(stream: VideoStream) -> bool:
    """Whether the stream is the picture of an album and not a video."""
    return bool(stream.disposition & Disposition.attached_pic)


def why_unreadable(source: Source, error: FFmpegError) -> str:
    """FFmpeg's reason why `source` does not open, such as "moov atom not found"."""
    size = len(source) if isinstance(source, bytes) else _file_size(source)
    if size == 0:
        return "the file is empty."
    log = _log_of_opening(source)
    return f"{error.strerror} ({log})." if log else f"{error.strerror}."


def _file_size(path: str | os.PathLike[str]) -> int | None:
    try:
        return os.path.getsize(path)
    except OSError:
        return None


def _log_of_opening(source: Source) -> str | None:
    # PyAV discards FFmpeg's log unless a level is set, and the level belongs to all threads. With
    # PANIC nothing is printed, yet errors carry their log.
    if not _one_diagnosis_at_a_time.acquire(timeout=DIAGNOSIS_SECONDS):
        return None  # another file's diagnosis hangs
    try:
        level = logging.get_level()
        logging.set_level(logging.PANIC)
        try:
            open_container(source).close()
        except FFmpegError as error:
            return str(error.log[2]).strip() if error.log else None  # pyright: ignore
        finally:
            logging.set_level(level)
    finally:
        _one_diagnosis_at_a_time.release()
    return None
