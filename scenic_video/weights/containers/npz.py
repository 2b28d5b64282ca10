"""npz: a zip file of NumPy arrays, whose names are paths."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from scenic_video.weights.containers.bounds import checked_bytes, checked_shape
from scenic_video.weights.containers.dtypes import BFLOAT16, restored
from scenic_video.weights.containers.mapped_file import typed
from scenic_video.weights.containers.weight_file import Malformed, StoredArray
from scenic_video.weights.containers.zip_members import ZipMembers

NAME = "an npz file of NumPy"
HEADER = 1 << 16
"""Bytes in which the header of an array ends."""
DATE = (1980, 1, 1, 0, 0, 0)


def is_npz(members: ZipMembers) -> bool:
    return bool(members.entries) and all(name.endswith(".npy") for name in members.entries)


def read(members: ZipMembers) -> dict[str, StoredArray]:
    """The arrays by their paths."""
    return {name.removesuffix(".npy"): _array(members, name) for name in members.entries}


def _array(members: ZipMembers, name: str) -> StoredArray:
    header = io.BytesIO(members.head(name, HEADER))
    version = npy.read_magic(header)
    if version == (1, 0):
        shape, column_major, stored = npy.read_array_header_1_0(header)
    elif version in ((2, 0), (3, 0)):  # 3.0 differs in names of fields, which weights lack
        shape, column_major, stored = npy.read_array_header_2_0(header)
    else:
        raise Malformed(f"{name!r} is of the unknown version {version}")
    if stored.hasobject:
        raise Malformed(f"{name!r} holds Python objects, which are never unpickled")
    shape, start = checked_shape(name, shape), header.tell()
    dtype = restored(stored)
    checked_bytes(name, shape, dtype, members.entries[name].file_size - start)

    def load() -> np.ndarray:
        flat = typed(members.read(name)[start:], dtype)
        return flat.reshape(shape, order="F" if column_major else "C")

    return StoredArray(shape, dtype, load)


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Equal arrays give equal bytes; bfloat16 as two bytes without a type, as big_vision does."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            plain = array.view("V2") if array.dtype == BFLOAT16 else array
            with archive.open(zipfile.ZipInfo(f"{name}.npy", DATE), "w", force_zip64=True) as file:
                npy.write_array(file, np.asarray(plain), allow_pickle=False)
