"""Flax's msgpack: nested maps whose arrays are extensions, read without copying them."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.weights.containers.bounds import (
    DEEPEST,
    MOST_NODES,
    add_new,
    checked_bytes,
    checked_shape,
)
from scenic_video.weights.containers.dtypes import dtype_named
from scenic_video.weights.containers.mapped_file import MappedFile
from scenic_video.weights.containers.weight_file import Malformed, StoredArray

NAME = "a msgpack file of Flax"
ARRAY, COMPLEX, SCALAR = 1, 2, 3
"""Flax's types of extensions."""
CHUNKED = "__msgpack_chunked_array__"
"""The key of an array in parts, since a msgpack object has less than 4 GiB."""

_NUMBERS = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_LENGTHS = {
    **dict.fromkeys((0xC4, 0xC7, 0xD9), 1),
    **dict.fromkeys((0xC5, 0xC8, 0xDA, 0xDC, 0xDE), 2),
    **dict.fromkeys((0xC6, 0xC9, 0xDB, 0xDD, 0xDF), 4),
}
"""Type -> bytes of the length that follows it."""
_BINARY, _TEXTS = range(0xC4, 0xC7), range(0xD9, 0xDC)
_EXTENSIONS, _FIXED_EXTENSIONS = range(0xC7, 0xCA), range(0xD4, 0xD9)


def is_msgpack(head: bytes) -> bool:
    """By the first bytes of a file: a map that begins with text."""
    kind = head[0]
    start = 1 if 0x81 <= kind <= 0x8F else 1 + _LENGTHS[kind] if kind in (0xDE, 0xDF) else 0
    return start > 0 and len(head) > start and (head[start] >> 5 == 0b101 or head[start] in _TEXTS)


def read(path: Path) -> Any:
    """Nested dicts, with arrays as `StoredArray`s."""
    file = MappedFile(path)
    reader = _Reader(file)
    tree = reader.value()
    if reader.position != file.size:
        raise Malformed(f"{file.size - reader.position:,} bytes follow its last value")
    return tree


class _Reader:
    def __init__(self, file: MappedFile, position: int = 0):
        self._file = file
        self.position = position
        self._nodes = 0

    def value(self, depth: int = 0) -> Any:
        self._nodes += 1
        if depth > DEEPEST or self._nodes > MOST_NODES:
            raise Malformed("it is nested deeper or wider than any checkpoint")
        kind = self._take(1)[0]
        if kind < 0x80:
            return kind
        if kind >= 0xE0:
            return kind - 0x100
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind in _NUMBERS:
            form = struct.Struct(_NUMBERS[kind])
            return form.unpack(self._take(form.size))[0]
        return self._sized(kind, depth)

    def _sized(self, kind: int, depth: int) -> Any:
        if kind <= 0x8F:
            return self._map(kind & 0x0F, depth)
        if kind <= 0x9F:
            return self._list(kind & 0x0F, depth)
        if kind <= 0xBF:
            return self._take(kind & 0x1F).decode()
        if kind in _FIXED_EXTENSIONS:
            return self._extension(1 << (kind - 0xD4))
        if kind not in _LENGTHS:
            raise Malformed(f"it has the byte {kind:#x}, which begins no value of msgpack")
        length = int.from_bytes(self._take(_LENGTHS[kind]), "big")
        if kind in _EXTENSIONS:
            return self._extension(length)
        if kind in _BINARY:
            return self._take(length)
        if kind in _TEXTS:
            return self._take(length).decode()
        return self._list(length, depth) if kind in (0xDC, 0xDD) else self._map(length, depth)

    def _list(self, length: int, depth: int) -> list[Any]:
        self._require(length)
        return [self.value(depth + 1) for _ in range(length)]

    def _map(self, length: int, depth: int) -> Any:
        self._require(length)
        found: dict[str, Any] = {}
        for _ in range(length):
            key = self.value(depth + 1)
            if not isinstance(key, str | int):
                raise Malformed(f"a key of it is a {type(key).__name__}")
            add_new(found, str(key), self.value(depth + 1))
        return _joined(found) if CHUNKED in found else found

    def _extension(self, length: int) -> Any:
        kind, start = self._take(1)[0], self.position
        self._skip(length)
        if kind not in (ARRAY, SCALAR):
            return f"<an extension of type {kind}, not read>"
        return _Reader(self._file, start)._array(start + length)

    def _array(self, end: int) -> StoredArray:
        """(shape, dtype's name, bytes) of an array that ends at `end`."""
        if self._take(1)[0] != 0x93:
            raise Malformed(f"the array at byte {self.position:,} has no shape, dtype and bytes")
        name = f"the array at byte {self.position:,}"
        shape = checked_shape(name, self.value())
        dtype = self.value()
        dtype = dtype_named(dtype.decode() if isinstance(dtype, bytes) else dtype)
        length = self._length_of_bytes()
        if self.position + length != end:
            raise Malformed(f"{name} does not end where it should")
        return self._file.array(name, shape, dtype, self.position, length)

    def _length_of_bytes(self) -> int:
        kind = self._take(1)[0]
        if 0xA0 <= kind <= 0xBF:  # files of old versions have text for bytes
            return kind & 0x1F
        if kind not in (*_BINARY, *_TEXTS):
            raise Malformed(f"the array at byte {self.position:,} has no bytes")
        return int.from_bytes(self._take(_LENGTHS[kind]), "big")

    def _take(self, length: int) -> bytes:
        taken = self._file.bytes(self.position, length)
        self.position += length
        return taken

    def _skip(self, length: int) -> None:
        self._file.raw(self.position, length)
        self.position += length

    def _require(self, length: int) -> None:
        """A list or map has at least a byte for each entry."""
        self._file.raw(self.position, length)


def _joined(parts: Mapping[str, Any]) -> StoredArray:
    """An array that is stored in chunks."""
    axes, chunks = parts["shape"], parts["chunks"]
    shape = checked_shape(CHUNKED, [axes[str(n)] for n in range(len(axes))])
    pieces = [chunks[str(n)] for n in range(len(chunks))]
    if not pieces or not all(isinstance(piece, StoredArray) for piece in pieces):
        raise Malformed("an array in chunks has none")
    dtype = pieces[0].dtype
    if any(piece.dtype != dtype for piece in pieces):
        raise Malformed("the chunks of an array differ in their dtype")
    checked_bytes(CHUNKED, shape, dtype, sum(piece.nbytes for piece in pieces))
    return StoredArray(
        shape,
        dtype,
        lambda: np.concatenate([piece.load().reshape(-1) for piece in pieces]).reshape(shape),
    )
