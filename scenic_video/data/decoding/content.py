"""Which content a video has, without reading all of it."""

import hashlib
import io
import os

from scenic_video.data.decoding.containers import Source

CONTENT_BYTES = 2**16
"""A file is known by its size and so many bytes at both of its ends."""


def content_of(video: Source) -> str:
    """Equal for videos of equal content, and in all likelihood only for those. Errors: OSError."""
    with io.BytesIO(video) if isinstance(video, bytes) else open(video, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        first = file.read(CONTENT_BYTES)
        file.seek(max(0, size - CONTENT_BYTES))
        return hashlib.sha256(b"%d:" % size + first + file.read(CONTENT_BYTES)).hexdigest()
