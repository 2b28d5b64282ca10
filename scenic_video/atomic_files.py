"""Files that are written completely or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from scenic_video.config import ConfigError


def require_writable(folder: Path, remedy: str) -> None:
    """Creates a folder if needed, and a file in it. Errors: ConfigError, ending with `remedy`."""
    probe = folder / f".writable.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(f"Cannot write to {folder} ({error.strerror}). {remedy}") from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write to, which is renamed to `path` on success."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield scratch
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
