"""Writes arrays by path as Flax's msgpack, one array in memory at a time."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from scenic_video.weights.containers.msgpack import ARRAY, CHUNKED
from scenic_video.weights.containers.selection import nest

LARGEST_CHUNK = 1 << 30
"""Bytes of an array from which on Flax stores it in chunks."""


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """`arrays` by "a/b/kernel", stored under "params" as `flax.serialization` does."""
    with path.open("wb") as file:
        _write_value(file, {"params": nest(arrays)})


def _write_value(file: BinaryIO, value: Any) -> None:
    if isinstance(value, Mapping):
        file.write(_header(len(value), 0x80, 16, {2: 0xDE, 4: 0xDF}))
        for key, entry in value.items():
            _write_value(file, key)
            _write_value(file, entry)
    elif isinstance(value, bool):
        file.write(b"\xc3" if value else b"\xc2")
    elif isinstance(value, int):
        file.write(b"\xcf" + struct.pack(">Q", value))
    elif isinstance(value, str):
        text = value.encode()
        file.write(_header(len(text), 0xA0, 32, {1: 0xD9, 2: 0xDA, 4: 0xDB}) + text)
    else:
        _write_array(file, value)


def _write_array(file: BinaryIO, array: np.ndarray) -> None:
    if array.nbytes > LARGEST_CHUNK:
        _write_value(file, _chunked(array))
        return
    name = array.dtype.name.encode()
    start = b"\x93" + _header(array.ndim, 0x90, 16, {2: 0xDC})
    start += b"".join(b"\xcf" + struct.pack(">Q", size) for size in array.shape)
    start += _header(len(name), 0xA0, 32, {1: 0xD9}) + name
    start += b"\xc6" + struct.pack(">I", array.nbytes)
    length = len(start) + array.nbytes
    file.write(b"\xc9" + struct.pack(">IB", length, ARRAY) + start)
    file.write(np.ascontiguousarray(array).tobytes())


def _chunked(array: np.ndarray) -> dict[str, Any]:
    flat, step = array.reshape(-1), max(1, LARGEST_CHUNK // array.dtype.itemsize)
    chunks = [flat[start : start + step] for start in range(0, flat.size, step)]
    return {
        CHUNKED: True,
        "shape": {str(n): size for n, size in enumerate(array.shape)},
        "chunks": {str(n): chunk for n, chunk in enumerate(chunks)},
    }


def _header(length: int, fixed: int, limit: int, types: Mapping[int, int]) -> bytes:
    """The first bytes of a value with a length: one byte below `limit`, else a type and it."""
    if length < limit:
        return bytes([fixed | length])
    size = next(size for size in types if length < 1 << (8 * size))
    return bytes([types[size]]) + length.to_bytes(size, "big")
