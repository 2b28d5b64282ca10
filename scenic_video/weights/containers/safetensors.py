"""safetensors: eight bytes of the header's length, a JSON header, and raw arrays."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.weights.containers.bounds import (
    LARGEST_TEXT,
    checked_shape,
    without_duplicates,
)
from scenic_video.weights.containers.dtypes import SAFETENSORS, dtype_named
from scenic_video.weights.containers.mapped_file import MappedFile
from scenic_video.weights.containers.weight_file import Malformed, StoredArray

NAME = "safetensors"
ALIGNMENT = 64
NAMES = {dtype_named(name): short for short, name in SAFETENSORS.items()}


def is_safetensors(head: bytes) -> bool:
    """By the first bytes of a file."""
    return len(head) > 8 and head[8:9] == b"{" and head[6:8] == b"\0\0"


def read(path: Path) -> tuple[dict[str, StoredArray], dict[str, Any]]:
    """The arrays, and the metadata of the header."""
    file = MappedFile(path)
    (length,) = struct.unpack("<Q", file.bytes(0, 8))
    if length > LARGEST_TEXT:
        raise Malformed(f"its header claims {length:,} bytes")
    header = json.loads(file.bytes(8, length), object_pairs_hook=without_duplicates)
    metadata = dict(header.pop("__metadata__", None) or {})
    start = 8 + length
    arrays = {name: _array(file, name, entry, start) for name, entry in header.items()}
    _check_ranges(header, file.size - start)
    return arrays, metadata


def _array(file: MappedFile, name: str, entry: Mapping[str, Any], start: int) -> StoredArray:
    if entry["dtype"] not in SAFETENSORS:
        raise Malformed(f"the dtype of {name!r} is {str(entry['dtype'])[:40]!r}")
    begin, end = checked_shape(name, entry["data_offsets"])
    dtype = dtype_named(SAFETENSORS[entry["dtype"]])
    return file.array(name, checked_shape(name, entry["shape"]), dtype, start + begin, end - begin)


def _check_ranges(header: Mapping[str, Any], length: int) -> None:
    """The format wants the arrays to follow each other without gaps to the end of the file."""
    position = 0
    for begin, end in sorted(tuple(entry["data_offsets"]) for entry in header.values()):
        if begin != position:
            raise Malformed(f"its arrays overlap or leave a gap at byte {min(begin, position):,}")
        position = end
    if position != length:
        raise Malformed(f"its arrays have {position:,} bytes, but {length:,} follow the header")


def write(
    path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """`metadata` is text by name, such as {"format": "pt"}."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    position = 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [position, position + array.nbytes],
        }
        position += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            file.write(np.ascontiguousarray(array).tobytes())
