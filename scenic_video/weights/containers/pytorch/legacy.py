"""The layout of PyTorch before 1.6: several pickles, then the bytes of all storages."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.weights.containers.bounds import LARGEST_TEXT
from scenic_video.weights.containers.mapped_file import MappedFile
from scenic_video.weights.containers.pytorch.pickle_machine import Reference, follow
from scenic_video.weights.containers.pytorch.tensors import StorageId, TensorReader
from scenic_video.weights.containers.weight_file import Malformed

NAME = "a PyTorch file of the layout before 1.6"
MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
COUNT = 8
"""Bytes of the number of elements before each storage."""


def is_torch_legacy(head: bytes) -> bool:
    """By the first bytes of a file: a pickle of the magic number."""
    return head[:1] == b"\x80" and MAGIC.to_bytes(10, "little") in head[:16]


def read(path: Path) -> Any:
    """The object that was saved, with tensors as `StoredArray`s."""
    file = MappedFile(path)
    pickles = io.BytesIO(file.bytes(0, min(file.size, LARGEST_TEXT)))
    magic, protocol, system = (follow(pickles)[0] for _ in range(3))
    if (magic, protocol) != (MAGIC, PROTOCOL):
        raise Malformed(f"it is of the unknown version {str(protocol)[:40]}")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise Malformed("it was written on a big-endian machine")
    saved, references = follow(pickles)
    keys, _ = follow(pickles)
    places = _places(file, pickles.tell(), keys, references)

    def storage(key: str) -> tuple[int, Callable[[], np.ndarray]]:
        start, length = places[key]
        return length, lambda: file.raw(start, length)

    return TensorReader(storage).plain(saved)


def _places(
    file: MappedFile, position: int, keys: Any, references: list[Reference]
) -> dict[str, tuple[int, int]]:
    """Start and length of each storage, which follow each other to the end of the file."""
    storages = {storage.key: storage for storage in map(StorageId.of, references)}
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise Malformed("its list of storages is not that of its tensors")
    places = {}
    for key in map(str, keys):
        count = int.from_bytes(file.bytes(position, COUNT), "little", signed=True)
        dtype = storages[key].dtype or np.dtype(np.uint8)
        length = count * dtype.itemsize
        if count != storages[key].elements:
            raise Malformed(
                f"its storage {key!r} has {count:,} elements, not {storages[key].elements:,}"
            )
        file.raw(position + COUNT, length)
        places[key] = (position + COUNT, length)
        position += COUNT + length
    if position != file.size:
        raise Malformed(f"{file.size - position:,} bytes follow its last array")
    return places
