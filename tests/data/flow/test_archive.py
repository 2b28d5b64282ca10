"""Archives of flow are read only if their headers are true."""

import io
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy

from scenic_video.data.decoding.opening import UnreadableVideo
from scenic_video.data.flow.archive import open_archive


def header_of(shape, dtype="<f4") -> bytes:
    """The header of an array, without its values."""
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


def write(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize(
    "flow, complaint",
    [
        (header_of((10**6, 10**4, 10**4, 2)), r"shape \[1000000, 10000, 10000, 2\].*4 GiB"),
        (header_of((2**62, 2**62, 2**62, 2)), "4 GiB are read"),
        (header_of((-1, 8, 8, 2)), "wanted 'flow'"),
        (header_of((3, 8, 8, 2), "|O"), "is of object"),
        (header_of((3, 8, 8, 2)), "f.npz: "),
        (b"\x93NUMPY\x01\x00", "f.npz: "),
        (b"no array", "f.npz: "),
    ],
)
def test_an_array_with_a_wrong_header_is_not_read(tmp_path, flow, complaint):
    path = write(tmp_path / "f.npz", flow=flow, timestamps=header_of((3,), "<f8") + bytes(24))
    with pytest.raises(UnreadableVideo, match=complaint):
        open_archive(path)


def test_objects_are_never_unpickled(tmp_path):
    times = np.array([print], dtype=object)
    np.savez(tmp_path / "f.npz", flow=np.zeros((1, 8, 8, 2)), timestamps=times)
    with pytest.raises(UnreadableVideo, match="wanted 'timestamps'"):
        open_archive(tmp_path / "f.npz")


def test_other_members_are_not_read(tmp_path):
    arrays = {"flow": np.ones((3, 8, 8, 2), np.float16), "timestamps": np.arange(3)}
    np.savez_compressed(tmp_path / "f.npz", **arrays)
    with zipfile.ZipFile(tmp_path / "f.npz", "a") as archive:
        archive.writestr("bomb.npy", header_of((2**40,)))
    motion, times = open_archive(tmp_path / "f.npz")
    assert motion.shape == (3, 8, 8, 2) and times.tolist() == [0, 1, 2]
