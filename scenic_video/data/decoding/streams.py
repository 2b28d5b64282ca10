"""Selects the video and audio streams of a file that players would choose."""

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from scenic_video.errors import UserError

PARTS = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.dependent
"""Covers, thumbnails, and tiles or layers of other streams, which are not videos."""


def best_video(container: InputContainer) -> VideoStream:
    """A moving video before stills, the default before others, then the largest.

    Errors: UserError that lists the streams if there is none.
    """
    if not len(container.streams):
        raise UserError("it has no streams.")
    whole = [s for s in container.streams.video if not s.disposition & PARTS]
    moving = [s for s in whole if not _is_still(s)]
    if _is_tiled(container) and not moving and not any(_is_default(s) for s in whole):
        raise UserError("tiled images cannot be read. Convert it to JPEG or PNG.")
    if not whole:
        kinds = {"cover" if s.type == "video" else s.type for s in container.streams}
        raise UserError(f"there is no video in it, only {', '.join(sorted(kinds))}.")
    readable = [s for s in moving or whole if s.codec_context is not None]
    if not readable:
        raise UserError("FFmpeg has no decoder for its video.")
    return max(readable, key=_rank)  # the first of equals


def best_audio(container: InputContainer) -> AudioStream | None:
    """The default stream, else the first; None if none can be decoded."""
    readable = [s for s in container.streams.audio if s.codec_context is not None]
    return max(readable, key=_is_default, default=None)


def _rank(stream: VideoStream) -> tuple[bool, int, bool]:
    # The alpha channel of a video is a similar stream, but grey.
    is_grey = (stream.codec_context.pix_fmt or "").startswith("gray")
    return _is_default(stream), stream.width * stream.height, not is_grey


def _is_default(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.default)


def _is_still(stream: VideoStream) -> bool:
    return stream.frames == 1 or bool(stream.disposition & Disposition.still_image)


def _is_tiled(container: InputContainer) -> bool:
    return any(s.disposition & Disposition.dependent for s in container.streams.video)
