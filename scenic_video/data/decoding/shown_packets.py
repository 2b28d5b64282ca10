"""Finds the packets whose frame is shown, from their first bytes."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

IMAGE, EXTENSION = 0x2C, 0x21


def _shows_vp8(data: memoryview) -> bool:
    """RFC 6386, section 9.1: bit 4 of the frame tag is show_frame."""
    return bool(data[0] >> 4 & 1)


def _shows_vp9(data: memoryview) -> bool:
    """VP9 bitstream specification, section 6.2; a superframe always shows its last frame."""
    if data[-1] >> 5 == 0b110:
        return True
    # frame_marker (2 bits), profile (2, and a reserved one in profile 3), show_existing_frame,
    # frame_type, show_frame
    behind_profile = 5 if data[0] >> 4 & 0b11 == 0b11 else 4
    shows_existing = data[0] >> (7 - behind_profile) & 1
    return bool(shows_existing or data[0] >> (5 - behind_profile) & 1)


def _shows_gif(data: memoryview) -> bool:
    """GIF89a, section 15 on: whether an image descriptor comes before the trailer."""
    position = 0
    if bytes(data[:3]) == b"GIF":
        position = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while position < len(data) and data[position] == EXTENSION:
        position += 2
        while position < len(data) and data[position]:
            position += 1 + data[position]
        position += 1
    return position < len(data) and data[position] == IMAGE


SHOWS_FRAME: Mapping[str, Callable[[memoryview], bool]] = MappingProxyType(
    {"vp8": _shows_vp8, "vp9": _shows_vp9, "gif": _shows_gif}
)
"""Codec name in FFmpeg -> whether the bytes of a packet contain a shown frame; those of other
codecs always do.

Alternate reference frames, to which other frames refer, are separate packets in VP8 and early VP9
files; a GIF may end in a packet without a frame.
"""
