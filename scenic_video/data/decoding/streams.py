"""Which stream of a file is its picture, and which its audio: the one that players take."""

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from scenic_video.errors import UserError

PARTS = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.dependent
"""Covers, thumbnails, and tiles or layers of other streams: none is the video by itself."""


def best_video(container: InputContainer) -> VideoStream:
    """The moving picture before stills, the default before others, then the largest.

    Errors: ValueError where there is none; it says what there is instead.
    """
    if not len(container.streams):
        raise UserError("there is nothing in it.")
    whole = [s for s in container.streams.video if not s.disposition & PARTS]
    moving = [s for s in whole if not _is_still(s)]
    if _is_tiled(container) and not moving and not any(_is_default(s) for s in whole):
        raise UserError("a tiled picture is not read. Convert it to JPEG or PNG.")
    if not whole:
        kinds = {"cover" if s.type == "video" else s.type for s in container.streams}
        raise UserError(f"there is no video in it, only {', '.join(sorted(kinds))}.")
    readable = [s for s in moving or whole if s.codec_context is not None]
    if not readable:
        raise UserError("FFmpeg has no decoder for its video.")
    return max(readable, key=_rank)  # of equals the first


def best_audio(container: InputContainer) -> AudioStream | None:
    """The default one before others, else the first; None where none can be decoded."""
    readable = [s for s in container.streams.audio if s.codec_context is not None]
    return max(readable, key=_is_default, default=None)


def _rank(stream: VideoStream) -> tuple[bool, int, bool]:
    # The transparency of a video is a stream like it, but grey.
    is_grey = (stream.codec_context.pix_fmt or "").startswith("gray")
    return _is_default(stream), stream.width * stream.height, not is_grey


def _is_default(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.default)


def _is_still(stream: VideoStream) -> bool:
    return stream.frames == 1 or bool(stream.disposition & Disposition.still_image)


def _is_tiled(container: InputContainer) -> bool:
    return any(s.disposition & Disposition.dependent for s in container.streams.video)
