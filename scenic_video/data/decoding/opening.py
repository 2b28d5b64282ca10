"""Opens one file or its bytes, and nothing that these name."""

import functools
import io
import os
import stat

import av
from av.container import InputContainer

from scenic_video.errors import UserError

Source = str | bytes | os.PathLike[str]
"""A path, or the encoded bytes of a container or of a picture."""

REFERRING = frozenset(
    """applehttp avisynth concat dash hls imf lavfi rtp rtsp sap sdp vapoursynth vobsub
    webm_dash_manifest""".split()
)
"""Formats whose files name other files, addresses or programs, which FFmpeg then opens."""

MAX_PIXELS = 2**27
"""Pixels of the largest picture that is decoded (11,585 x 11,585): a few bytes may claim more."""

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class UnreadableVideo(UserError):
    """A file, or the wanted part of one, that yields no picture; the message names it and why."""


def open_container(source: Source) -> InputContainer:
    """An open container; a path is never taken for a URL, whatever colons it has.

    Errors: UnreadableVideo for what is no file, and may never answer; those of PyAV, also for
    `REFERRING` formats.
    """
    if not isinstance(source, bytes):
        check_is_file(source)
    file = io.BytesIO(source) if isinstance(source, bytes) else f"file:{os.fspath(source)}"
    # Tags in other encodings are common, and no one here reads them.
    return av.open(
        file, "r", options=bounds(), container_options=_one_file(), metadata_errors="replace"
    )


def check_is_file(path: str | os.PathLike[str]) -> None:
    """Refuses a path of what is no file. One where nothing is passes. Errors: UnreadableVideo."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    for is_kind, kind in KINDS:
        if is_kind(mode):
            raise UnreadableVideo(f"{os.fspath(path)}: this is {kind}, and no file.")


def bounds() -> dict[str, str]:
    """Options of a decoder that bound what a picture may claim to be."""
    return {"max_pixels": str(MAX_PIXELS)}


@functools.cache
def _one_file() -> dict[str, str]:
    return {
        "format_whitelist": ",".join(sorted(av.formats_available - REFERRING)),
        "protocol_whitelist": "file",
        "pattern_type": "none",  # img%d.png is a name, and no list of pictures
    }
