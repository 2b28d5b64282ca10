"""Copies files and folders from buckets, and whatever else fsspec reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fsspec
from fsspec.callbacks import Callback

from scenic_video.errors import UserError
from scenic_video.weights.locations.cache import Progress, appearing, place

EXTRAS = {"gs": "gcs", "gcs": "gcs", "s3": "s3", "s3a": "s3"}
"""Scheme of an address -> the extra of this package that installs its library."""
VERSIONS = ("etag", "ETag", "md5Hash", "generation", "LastModified", "mtime", "created")
"""Names by which file systems state the version of a file."""


def copy(location: str, progress: Progress | None) -> Path:
    """The local copy of a file or folder. Errors: UserError."""
    scheme = location.split("://")[0]
    try:
        files, root = fsspec.core.url_to_fs(location)
        found = _files(files, root)
        return _kept(location, files, root, found, progress)
    except UserError:
        raise
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        words = f"pip install 'scenic_video[{extra}]'" if extra else str(error)
        raise UserError(f"{location} needs a library that is not installed: {words}.") from error
    except FileNotFoundError as error:
        raise UserError(f"{location}: there is no such file or folder.") from error
    except Exception as error:  # each file system has its own types of errors
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{location} cannot be read ({type(error).__name__}: {reason}).") from error


def _files(files: Any, root: str) -> dict[str, Mapping[str, Any]]:
    """The files at or below `root`, with what is known of each."""
    info = files.info(root)
    if info["type"] != "directory":
        return {root: info}
    found = {name: entry for name, entry in files.find(root, detail=True).items()}
    if not found:
        raise FileNotFoundError(root)
    return found


def _kept(
    location: str,
    files: Any,
    root: str,
    found: Mapping[str, Mapping[str, Any]],
    progress: Progress | None,
) -> Path:
    total = sum(int(info["size"] or 0) for info in found.values())
    versions = "\n".join(f"{name} {info['size']} {_version(info)}" for name, info in found.items())
    path = place(location, total, versions)
    if path.exists():
        return path
    reported = _Reported(progress, total)
    with appearing(path) as scratch:
        for name, info in found.items():
            below = name.removeprefix(root).strip("/")
            target = scratch / below if below else scratch
            if not target.resolve().is_relative_to(scratch.resolve()):
                raise UserError(f"{location} holds {name!r}, which would leave its folder.")
            target.parent.mkdir(parents=True, exist_ok=True)
            files.get_file(name, str(target), callback=reported.callback())
            if target.stat().st_size != (info["size"] or 0):
                raise UserError(f"{location}: {name} was cut off; try again.")
    return path


def _version(info: Mapping[str, Any]) -> str:
    return next((str(info[name]) for name in VERSIONS if info.get(name)), "")


class _Reported:
    """Adds up the bytes of several files."""

    def __init__(self, progress: Progress | None, total: int):
        self._progress = progress
        self._total = total
        self._arrived = 0

    def callback(self) -> Callback:
        """What fsspec calls for one file."""
        return _Bytes(self.add)

    def add(self, count: int) -> None:
        self._arrived += count
        if self._progress is not None:
            self._progress(self._arrived, self._total)


class _Bytes(Callback):
    def __init__(self, add: Any):
        super().__init__()
        self._add = add

    def relative_update(self, inc: int = 1) -> None:
        self._add(inc)
        super().relative_update(inc)
