"""Reads optical flow from an .npz file, once its headers are checked."""

import dataclasses
import math
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from scenic_video.data.decoding.opening import UnreadableVideo, check_is_file

SUFFIX = ".npz"
MAX_BYTES = 4 * 2**30
"""Of an array in memory; a minute of 340 x 256 at 30 frames per second is 1.2 GiB of float32."""
MANY = 20
BROKEN = (OSError, ValueError, TypeError, SyntaxError, EOFError, RuntimeError)
BROKEN += (zipfile.BadZipFile, zlib.error)


@dataclasses.dataclass(frozen=True)
class _Header:
    """The header of an array, which is read before its values."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def open_archive(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The motion [n, h, w, 2] and its times [n].

    Headers are checked first, so that memory is only allocated for valid arrays. Errors:
    UnreadableVideo.
    """
    check_is_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            headers = {name: _read_header(archive, name) for name in _names(archive)}
            _check_headers(path, headers)
            motion, timestamps = (_read(archive, name) for name in ("flow", "timestamps"))
    except UnreadableVideo:
        raise
    except BROKEN as error:
        raise UnreadableVideo(f"{path}: {error}") from error
    timestamps = timestamps.astype(np.float64)
    if not (np.isfinite(timestamps).all() and (np.diff(timestamps) > 0).all()):
        raise UnreadableVideo(
            f"{path}: 'timestamps' must be finite, increasing seconds; got "
            f"{np.array2string(timestamps, threshold=6)}."
        )
    return motion, timestamps


def _names(archive: zipfile.ZipFile) -> list[str]:
    files = [name for name in archive.namelist()[:MANY] if name.endswith(".npy")]
    return [name.removesuffix(".npy") for name in files]


def _read_header(archive: zipfile.ZipFile, name: str) -> _Header:
    with archive.open(f"{name}.npy") as file:
        version = npy.read_magic(file)
        # Version 3 differs only in names of fields, and these arrays have none.
        is_first = version == (1, 0)
        read = npy.read_array_header_1_0 if is_first else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    return _Header(shape, dtype)


def _read(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        return npy.read_array(file, allow_pickle=False)


def _check_headers(path: Path, headers: dict[str, _Header]) -> None:
    motion, timestamps = headers.get("flow"), headers.get("timestamps")
    if motion is None or len(motion.shape) != 4 or motion.shape[-1] != 2 or min(motion.shape) < 1:
        found = {name: header.shape for name, header in headers.items()}
        raise UnreadableVideo(f"{path}: wanted 'flow' [n, h, w, 2] in pixels; it has {found}.")
    if motion.dtype.kind not in "fi":
        raise UnreadableVideo(
            f"{path}: 'flow' is of {motion.dtype}, but displacements are signed: wanted float or "
            "signed integers, in pixels."
        )
    if motion.num_bytes > MAX_BYTES:
        raise UnreadableVideo(
            f"{path}: 'flow' has the shape {list(motion.shape)} of {motion.dtype}, "
            f"{motion.num_bytes / 2**30:,.1f} GiB; at most {MAX_BYTES / 2**30:.0f} GiB are read. "
            "Store longer flow as a video, as `scenic-video data flow` does."
        )
    times = timestamps is not None and timestamps.shape == motion.shape[:1]
    if timestamps is None or not times or timestamps.dtype.kind not in "fiu":
        raise UnreadableVideo(
            f"{path}: wanted 'timestamps' [{motion.shape[0]}], the seconds at which each is shown."
        )
