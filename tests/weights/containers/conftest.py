"""The same few arrays in each container, written by the libraries that own them or their bytes."""

import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import flax.serialization
import ml_dtypes
import numpy as np
import pytest
from flax.traverse_util import unflatten_dict

from tests.helpers.golden import GOLDEN

ARRAYS = {
    "embedding/kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "embedding/bias": np.asarray([1, 2.5, -3], np.float16),
    "steps": np.asarray([7], np.int64),
}


def msgpack(path: Path) -> None:
    path.write_bytes(flax.serialization.to_bytes({"params": unflatten_dict(ARRAYS, sep="/")}))


def npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **ARRAYS)


def safetensors(path: Path) -> None:
    """The format as its specification has it: a length, a JSON header, the bytes."""
    names = {"float32": "F32", "float16": "F16", "int64": "I64"}
    header, data = {}, b""
    for name, array in ARRAYS.items():
        offsets = [len(data), len(data) + array.nbytes]
        dtype = names[array.dtype.name]
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": offsets}
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def torch_zip(path: Path) -> None:
    path.write_bytes((GOLDEN / "torch_zip.pth").read_bytes())


def torch_legacy(path: Path) -> None:
    path.write_bytes((GOLDEN / "torch_before_1_6.pth").read_bytes())


WRITERS = {x.__name__: x for x in (msgpack, npz, safetensors, torch_zip, torch_legacy)}
BASE = np.arange(24, dtype=np.float32).reshape(4, 6)
TORCH_ARRAYS = {
    "whole": BASE,
    "transposed": BASE.T,
    "part": BASE[1:3, ::2],
    "parameter": np.arange(3, dtype=np.float64),
    "bfloat16": np.array([1.5, -2], ml_dtypes.bfloat16),
    "half": np.array([0.5], np.float16),
    "count": np.array(7),
    "flags": np.array([True, False]),
    "expanded": np.array([[2, 3], [2, 3]], np.int32),
    "empty": np.zeros((0, 3), np.float32),
}
"""What PyTorch 2.14 saved in the two files, as views of shared storages among others."""


@pytest.fixture(params=WRITERS)
def written(request, tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A file without a telling name, and what it holds."""
    path = tmp_path / "weights"
    WRITERS[request.param](path)
    return path, TORCH_ARRAYS if request.param.startswith("torch") else ARRAYS


class Hostile:
    """An object whose unpickling writes a file."""

    def __init__(self, victim: Path):
        self.victim = victim

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.victim), "w")


def hostile_zip(path: Path, victim: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/data.pkl", pickle.dumps({"x": Hostile(victim)}, protocol=2))
        archive.writestr("weights/version", "3\n")


def hostile_legacy(path: Path, victim: Path) -> None:
    numbers = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    parts = (*numbers, {"x": Hostile(victim)}, [])
    path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts))
