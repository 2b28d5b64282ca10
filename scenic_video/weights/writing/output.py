"""A file or folder that appears whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from scenic_video.atomic_files import require_writable
from scenic_video.errors import UserError


def check_free(path: Path, *, overwrite: bool) -> None:
    """Errors: UserError if there is something at `path`, unless it may be replaced."""
    if path.exists() and not overwrite:
        kind = "folder" if path.is_dir() else "file"
        raise UserError(
            f"There is a {kind} {path} already. Give another name, or --overwrite to replace it."
        )


@contextlib.contextmanager
def new_output(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary path for a file or folder, which becomes `path` if nothing fails."""
    check_free(path, overwrite=overwrite)
    require_writable(path.parent, "Name another place.")
    scratch, old = (path.with_name(f".{path.name}.{os.getpid()}{end}") for end in ("", ".old"))
    try:
        yield scratch
        if path.is_dir():  # a folder that is not empty cannot be replaced in one step
            os.replace(path, old)
        os.replace(scratch, path)
    finally:
        _remove(scratch)
        _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
