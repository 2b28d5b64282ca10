"""Downloads public checkpoints to their places in the cache."""

import contextlib
import dataclasses
import hashlib
import os
import shutil
from pathlib import Path

from scenic_video.atomic_files import replacing, require_writable
from scenic_video.errors import UserError
from scenic_video.weights.containers.folders import CONFIGS
from scenic_video.weights.locations.cache import VARIABLE, Progress, cache_folder
from scenic_video.weights.locations.public import place_of
from scenic_video.weights.locations.reading import fetch
from scenic_video.weights.registry.public_checkpoint import PublicCheckpoint


@dataclasses.dataclass(frozen=True)
class Pulled:
    """A file that was downloaded and checked; `address` is None if it was there already."""

    path: Path
    num_bytes: int
    sha256: str
    address: str | None


def pull(
    checkpoint: PublicCheckpoint, *, folder: Path | None = None, progress: Progress | None = None
) -> Pulled:
    """The file of a public checkpoint in its place, or in `folder`, which is downloaded unless it
    is there. Its size and SHA-256 are compared with those of the registry, if it has them.

    `progress` is called as by `locations.reading.read`. Errors: UserError if it cannot be had from
    any of its addresses.
    """
    path = place_of(checkpoint) if folder is None else folder / checkpoint.file_name
    if path.exists():
        return _checked(checkpoint, path, None)
    require_writable(path.parent, f"Name another folder by --out or {VARIABLE}.")
    reasons = []
    for address in (checkpoint.address, *checkpoint.mirrors):
        try:
            source = fetch(address, progress)
            try:
                pulled = _checked(checkpoint, source, address)
            except UserError:
                _forget(source)
                raise
            _place(source, path)
            return dataclasses.replace(pulled, path=path)
        except UserError as error:
            reasons.append(str(error))
    raise UserError(
        f"{checkpoint.name} could not be downloaded. {' '.join(reasons)} Without a network, put "
        f"the file of {checkpoint.web_address} at {path}."
    )


def _checked(checkpoint: PublicCheckpoint, path: Path, address: str | None) -> Pulled:
    """Errors: UserError if a file has another size or hash than the registry states."""
    try:
        checkpoint.check_size(path.stat().st_size)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        checkpoint.check_sha256(digest)
    except UserError as error:
        raise UserError(f"{address or path}: {error}") from error
    return Pulled(path, path.stat().st_size, digest, address)


def _place(source: Path, path: Path) -> None:
    """Moves a download from the cache, or copies a file of another one, with its configs."""
    if source.is_relative_to(cache_folder()):
        with replacing(path) as scratch:
            shutil.move(source, scratch)
        _forget(source)
        return
    beside = [source.with_name(f"{name}.json") for name in CONFIGS]
    for file in (*(x for x in beside if x.exists()), source):
        with replacing(path.with_name(file.name)) as scratch:
            _copy(file.resolve(), scratch)


def _copy(source: Path, target: Path) -> None:
    """A link if both are in one file system, which takes no space."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _forget(source: Path) -> None:
    """Removes a download and its folder from the cache."""
    if source.is_relative_to(cache_folder()):
        source.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # other files are in it
            source.parent.rmdir()
