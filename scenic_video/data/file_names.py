"""Checks names that become file names, such as those of splits: a single part of a path."""

import os

from scenic_video.errors import UserError

LONGEST = 200
"""Bytes; file systems allow 255, and a suffix is added."""


def check_file_name(name: str, what: str) -> None:
    """Errors: UserError unless `name`, described by `what`, can be the name of a file."""
    steps = not name or name in (".", "..") or any(char in name for char in "/\\\0")
    if steps or len(os.fsencode(name)) > LONGEST:
        shown = name if len(name) <= LONGEST else f"{name[:LONGEST]}..."
        raise UserError(
            f"{what} {shown!r} cannot be a file name: it must have 1 to {LONGEST} bytes, no "
            "'/' or '\\', and not be '.' or '..'. Rename it."
        )
