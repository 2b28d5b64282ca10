"""Opens a single file or its bytes, but no files or addresses that it names."""

import functools
import io
import os
import stat

import av
from av.container import InputContainer

from scenic_video.errors import UserError

Source = str | bytes | os.PathLike[str]
"""A path, or the encoded bytes of a container or image."""

REFERRING = frozenset(
    """applehttp avisynth concat dash hls imf lavfi rtp rtsp sap sdp vapoursynth vobsub
    webm_dash_manifest""".split()
)
"""Formats whose files name other files, addresses or programs, which FFmpeg would open."""

MAX_PIXELS = 2**27
"""Pixels of the largest frame that is decoded (11,585 x 11,585), since headers can claim more."""

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class UnreadableVideo(UserError):
    """A file, or a part of one, without readable frames; the message states its name and why."""


def open_container(source: Source) -> InputContainer:
    """An open container; a path is never interpreted as a URL, even with colons.

    Errors: UnreadableVideo for anything but a file, which might block; those of PyAV, also for
    `REFERRING` formats.
    """
    if not isinstance(source, bytes):
        check_is_file(source)
    file = io.BytesIO(source) if isinstance(source, bytes) else f"file:{os.fspath(source)}"
    # Tags in other encodings are common, and they are not used here.
    return av.open(
        file, "r", options=bounds(), container_options=_one_file(), metadata_errors="replace"
    )


def check_is_file(path: str | os.PathLike[str]) -> None:
    """Errors: UnreadableVideo if the path exists but is not a file."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    for is_kind, kind in KINDS:
        if is_kind(mode):
            raise UnreadableVideo(f"{os.fspath(path)}: this is {kind}, not a file.")


def bounds() -> dict[str, str]:
    """Decoder options that limit the size of frames."""
    return {"max_pixels": str(MAX_PIXELS)}


@functools.cache
def _one_file() -> dict[str, str]:
    return {
        "format_whitelist": ",".join(sorted(av.formats_available - REFERRING)),
        "protocol_whitelist": "file",
        "pattern_type": "none",  # img%d.png is a name, not a sequence of images
    }
