"""What a file claims is compared with its size before memory is used for it."""

import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from scenic_video.errors import UserError
from scenic_video.weights.containers import npz
from scenic_video.weights.locations.reading import read


def header_of(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    described = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


def test_a_zip_bomb_is_refused(tmp_path: Path):
    size = 1 << 28
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a.npy", "w") as file:
            file.write(header_of((size // 4,)))
            for _ in range(size >> 20):
                file.write(bytes(1 << 20))
    with pytest.raises(UserError, match="holds unless it is a zip bomb"):
        read(tmp_path / "x.npz")


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 20, 1 << 20, 1 << 20), (-1, 4)])
def test_an_absurd_shape_in_an_npz_is_refused(tmp_path: Path, shape):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", header_of(shape) + bytes(16))
    with pytest.raises(UserError, match="which needs|which no array has"):
        read(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("shape", "offsets", "words"),
    [
        ([1 << 40], [0, 16], "needs 4,398,046,511,104 bytes, but has 16"),
        ([4], [0, 1 << 50], "needs 16 bytes"),
        ([4], [8, 24], "truncated"),
        ([2.5], [0, 16], "which no array has"),
    ],
)
def test_an_absurd_header_of_safetensors_is_refused(tmp_path: Path, shape, offsets, words):
    entry = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
    text = json.dumps({"a": entry}).encode()
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(text)) + text + bytes(16))
    with pytest.raises(UserError, match=words):
        read(tmp_path / "x")


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path):
    entry = b'{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    text = b'{"a":' + entry + b',"a":' + entry + b"}"
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    with pytest.raises(UserError, match="the name 'a' occurs twice"):
        read(tmp_path / "x")


def test_deep_msgpack_is_refused(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"\x81\xa1a" * 5000 + b"\x01")
    with pytest.raises(UserError, match="nested deeper"):
        read(tmp_path / "x")


def test_python_objects_in_an_npz_are_refused(tmp_path: Path):
    np.savez(tmp_path / "x.npz", a=np.array([{"b": 1}], dtype=object))
    with pytest.raises(UserError, match="holds Python objects, which are never unpickled"):
        read(tmp_path / "x.npz")


def test_a_directory_that_hides_members_is_refused(tmp_path: Path):
    """A longer comment, by damage of one byte, hides all members that follow."""
    path = tmp_path / "x.npz"
    npz.write(path, {name: np.ones(3, np.float32) for name in "abc"})
    content = bytearray(path.read_bytes())
    second = content.rindex(b"PK\x01\x02", 0, content.rindex(b"PK\x01\x02"))
    content[second + 33] = 255
    path.write_bytes(content)
    with pytest.raises(UserError, match="its directory lists 2 of 3 members"):
        read(path)
