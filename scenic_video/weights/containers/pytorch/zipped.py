"""The zip files of PyTorch: a pickle, and the bytes of each storage as a member."""

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.weights.containers.bounds import LARGEST_TEXT
from scenic_video.weights.containers.pytorch.pickle_machine import follow
from scenic_video.weights.containers.pytorch.pickle_writer import pickled_state_dict
from scenic_video.weights.containers.pytorch.tensors import TensorReader
from scenic_video.weights.containers.weight_file import Malformed
from scenic_video.weights.containers.zip_members import ZipMembers

NAME = "a zip file of PyTorch"
ALIGNMENT = 64
DATE = (1980, 1, 1, 0, 0, 0)


def is_torch(members: ZipMembers) -> bool:
    return bool(_pickles(members))


def _pickles(members: ZipMembers) -> list[str]:
    return [name for name in members.entries if name.endswith("/data.pkl")]


def read(members: ZipMembers) -> Any:
    """The object that was saved, with tensors as `StoredArray`s."""
    pickles = _pickles(members)
    folder = pickles[0].rsplit("/", 1)[0]
    if len(pickles) > 1:
        raise Malformed(f"it has {len(pickles)} pickles: {', '.join(pickles[:3])}")
    if f"{folder}/constants.pkl" in members.entries:
        raise Malformed(
            "it is a TorchScript program, not a state dict; save its model.state_dict()"
        )
    _require_little_endian(members, f"{folder}/byteorder")
    if members.entries[pickles[0]].file_size > LARGEST_TEXT:
        raise Malformed(f"its pickle has {members.entries[pickles[0]].file_size:,} bytes")

    def storage(key: Any) -> tuple[int, Callable[[], np.ndarray]]:
        name = f"{folder}/data/{key}"
        if name not in members.entries:
            raise Malformed(f"its storage {str(key)[:40]!r} is missing")
        return members.entries[name].file_size, lambda: members.read(name)

    pickle = io.BytesIO(members.read(pickles[0]).tobytes())
    return TensorReader(storage).plain(follow(pickle)[0])


def _require_little_endian(members: ZipMembers, name: str) -> None:
    if name in members.entries and members.head(name, 8) != b"little":
        raise Malformed("it was written on a big-endian machine")


def write(path: Path, arrays: Mapping[str, np.ndarray], *, wrapper: str | None = None) -> None:
    """A state dict that torch.load(path, weights_only=True) opens; equal arrays, equal bytes.

    With a `wrapper` it is the only entry of another dict, as in {"model": state dict}.
    """
    folder = path.stem
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, f"{folder}/data.pkl", pickled_state_dict(arrays, wrapper))
        _add(archive, f"{folder}/byteorder", b"little")
        for number, array in enumerate(arrays.values()):
            _add(archive, f"{folder}/data/{number}", np.ascontiguousarray(array).tobytes())
        _add(archive, f"{folder}/version", b"3\n")


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """A member whose bytes begin at a multiple of 64, as PyTorch's do."""
    entry = zipfile.ZipInfo(name, DATE)
    assert archive.fp is not None
    header = archive.fp.tell() + 30 + len(name.encode()) + 4
    padding = -header % ALIGNMENT
    entry.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
    archive.writestr(entry, content)
