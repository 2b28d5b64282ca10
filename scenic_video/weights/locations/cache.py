"""Files that were downloaded, in the user's cache folder.

A file is kept below a key of its address, size and version (etag), so that a file that changed at
its source is downloaded again, and it appears whole or not at all.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from scenic_video.atomic_files import require_writable

Progress = Callable[[int, int | None], None]
"""Called with the bytes that have arrived, and all bytes if that number is known."""

VARIABLE = "SCENIC_VIDEO_CACHE"
"""The environment variable of the folder."""


def cache_folder() -> Path:
    """$SCENIC_VIDEO_CACHE, or scenic_video in the user's cache folder."""
    if VARIABLE in os.environ:
        return Path(os.environ[VARIABLE])
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user) / "scenic_video" / "weights"


def place(location: str, size: int | None, version: str | None) -> Path:
    """Where a file of this address, size and version is kept, or is to be."""
    key = hashlib.sha256(f"{location}\n{size}\n{version}".encode()).hexdigest()[:24]
    name = location.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
    safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)[-100:].lstrip(".")
    return cache_folder() / key / (safe or "file")


@contextlib.contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A temporary path for a file or folder, which becomes `path` if nothing fails."""
    require_writable(path.parent, f"Name another folder by {VARIABLE}.")
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield scratch
        if scratch.is_dir() and path.exists():  # another process was faster
            return
        os.replace(scratch, path)
    finally:
        if scratch.is_dir():
            shutil.rmtree(scratch)
        scratch.unlink(missing_ok=True)
