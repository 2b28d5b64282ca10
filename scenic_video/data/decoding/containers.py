"""Opens video files and bytes, and reports FFmpeg's reason if one cannot be read."""

import codecs
import contextlib
import math
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Generic, TypeVar

import av
from av import logging
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Stream
from av.video.stream import VideoStream

from scenic_video.data.decoding.clock import running
from scenic_video.data.decoding.opening import Source, UnreadableVideo, bounds, open_container
from scenic_video.data.decoding.streams import best_audio, best_video

# Formats without an index, in which seeking is not exact.
WITHOUT_INDEX = frozenset({"mpegts", "mpeg"})

_one_diagnosis_at_a_time = threading.Lock()
DIAGNOSIS_SECONDS = 10.0

TEXT_BYTES = 60

AnyStream = TypeVar("AnyStream", bound=Stream | None)


class StreamReader(contextlib.AbstractContextManager, Generic[AnyStream]):
    """The packets of one stream of a file, which can be read repeatedly and from any position.

    `choose` selects the stream of an open container. `name` is used for bytes in messages. Errors:
    UnreadableVideo, also with the errors of `choose`.
    """

    stream: AnyStream

    def __init__(
        self,
        source: Source,
        choose: Callable[[InputContainer], AnyStream],
        *,
        name: str | None = None,
    ):
        self._source = source
        self._choose = choose
        self.name = name or ("bytes" if isinstance(source, bytes) else os.fspath(source))
        self._open()

    def packets(self, start: int | None = None) -> Iterator[av.Packet]:
        """Packets in decoding order, from a keyframe at or before pts `start` if it is known.

        None means from the start. A truncated file ends where it is cut. In a concatenated file
        whose clock restarts, times continue those of the first part.
        """
        if not self._seek(start):
            self._rewind()
        self._at_start = False
        with contextlib.suppress(FFmpegError):
            demuxed = self._container.demux(self.stream)
            yield from running(packet for packet in demuxed if packet.size)

    def close(self) -> None:
        self._container.close()

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _seek(self, start: int | None) -> bool:
        if start is None or self._container.format.name in WITHOUT_INDEX:
            return False
        self._at_start = False  # a failed seek may have moved as well
        try:
            self._container.seek(start, stream=self.stream)
        except FFmpegError:
            return False
        return True

    def _rewind(self) -> None:
        if not self._at_start:
            self.close()
            self._open()

    def _open(self) -> None:
        try:
            container = open_container(self._source)
        except UnreadableVideo:
            raise
        except Exception as error:  # PyAV can raise anything, such as UnicodeError
            reason = why_unreadable(self._source, error)
            raise UnreadableVideo(f"{self.name}: {reason}") from error
        try:
            self.stream = self._choose(container)
        except ValueError as error:
            container.close()
            raise UnreadableVideo(f"{self.name}: {error}") from error
        self._container, self._at_start = container, True


class Demuxer(StreamReader[VideoStream]):
    """The packets of the video of a file."""

    def __init__(self, source: Source, *, name: str | None = None):
        super().__init__(source, _video_on_one_thread, name=name)

    @property
    def has_timestamps(self) -> bool:
        """Whether the file states pts; otherwise they are guessed from the decoding order."""
        return self._container.format.name != "avi" or not self.stream.codec_context.has_b_frames

    @property
    def time_base(self) -> Fraction:
        """Seconds per tick, the unit of timestamps."""
        return self.stream.time_base or Fraction(1, 1000)

    @property
    def origin(self) -> int:
        """The timestamp of the first frame."""
        return self.stream.start_time or 0

    @property
    def ticks_per_frame(self) -> float:
        """For a constant frame rate; a guess if the file does not state it."""
        rate = self.stream.average_rate or self.stream.guessed_rate or 25
        return float(1 / (rate * self.time_base))

    @property
    def may_be_cut(self) -> bool:
        """Whether the format is a stream, of which any part is a valid file."""
        return self._container.format.name in WITHOUT_INDEX

    def still_until(self, end: int) -> int:
        """Until when the last frame is shown, if the next one would replace it at the tick `end`.

        This is the end of the file if its audio continues and its index lists no more frames: a
        slide show, not a truncated download.
        """
        file_end, stream = self._container.duration, self.stream
        if not stream.duration or not file_end or end < self.origin + stream.duration:
            return end
        begin = self._container.start_time or 0
        seconds = Fraction(file_end + begin, av.time_base)
        return max(end, math.floor(seconds / self.time_base))

    @property
    def has_audio(self) -> bool:
        return best_audio(self._container) is not None


def _video_on_one_thread(container: InputContainer) -> VideoStream:
    stream = best_video(container)
    # One thread per clip is the most efficient, since clips are decoded in parallel.
    stream.codec_context.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    stream.codec_context.options = bounds()
    return stream


@contextlib.contextmanager
def naming_failures(name: str) -> Iterator[None]:
    """Turns any error of PyAV or of size into an UnreadableVideo that names the file."""
    try:
        yield
    except FFmpegError as error:
        raise UnreadableVideo(f"{name}: {error.strerror}.") from error
    except Exception as error:
        if not isinstance(error, MemoryError) and not _is_of_pyav(error):
            raise
        raise UnreadableVideo(f"{name}: {type(error).__name__}: {error}.") from error


def _is_of_pyav(error: BaseException) -> bool:
    raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
    return "av" in Path(raised_in).parts


def why_unreadable(source: Source, error: Exception) -> str:
    """FFmpeg's reason why `source` does not open, and what it contains instead of a video."""
    size = len(source) if isinstance(source, bytes) else _file_size(source)
    if size == 0:
        return "the file is empty."
    if not isinstance(error, FFmpegError):
        return f"{type(error).__name__}: {error}."
    text = _text_at_start(source)
    if text is not None:
        return f"{error.strerror}: its first bytes are text: {text}"
    log = _log_of_opening(source)
    return f"{error.strerror} ({log})." if log else f"{error.strerror}."


def _text_at_start(source: Source) -> str | None:
    """The first line if it is a text file, such as a git LFS pointer or a web page; else None."""
    try:
        if isinstance(source, bytes):
            start = source[:TEXT_BYTES]
        elif not os.path.isfile(source):
            return None
        else:
            with open(source, "rb") as file:
                start = file.read(TEXT_BYTES)
        text = codecs.getincrementaldecoder("utf-8")().decode(start).strip()
    except (OSError, UnicodeDecodeError):
        return None
    if not all(letter.isprintable() or letter in "\r\n\t" for letter in text):
        return None
    return f"{text.splitlines()[0][:60]}..." if text else None


def _file_size(path: str | os.PathLike[str]) -> int | None:
    try:
        return os.path.getsize(path)
    except OSError:
        return None


def _log_of_opening(source: Source) -> str | None:
    # PyAV discards FFmpeg's log unless a level is set, which is shared by all threads. With PANIC
    # nothing is printed, but errors carry their log.
    if not _one_diagnosis_at_a_time.acquire(timeout=DIAGNOSIS_SECONDS):
        return None  # the diagnosis of another file hangs
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
