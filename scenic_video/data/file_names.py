"""Names that become names of files, such as those of splits: one step of a path, and no way out."""

import os

from scenic_video.errors import UserError

LONGEST = 200
"""Bytes, which leaves a file system room for a suffix."""


def check_file_name(name: str, what: str) -> None:
    """Errors: ValueError where `name`, which is `what`, cannot be the name of one file."""
    steps = not name or name in (".", "..") or any(char in name for char in "/\\\0")
    if steps or len(os.fsencode(name)) > LONGEST:
        shown = name if len(name) <= LONGEST else f"{name[:LONGEST]}..."
        raise UserError(
            f"{what} {shown!r} cannot be, as files are named after it: it must be 1 to {LONGEST} "
            "bytes without '/' or '\\', and not '.' or '..'. Rename it."
        )
