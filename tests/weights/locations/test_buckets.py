"""Files and folders that fsspec copies, here from its file system in memory."""

import importlib.util
from pathlib import Path

import fsspec
import numpy as np
import pytest

from scenic_video.errors import UserError
from scenic_video.weights.containers import npz, orbax
from scenic_video.weights.locations.reading import read


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SCENIC_VIDEO_CACHE", str(tmp_path / "cache"))
    files = fsspec.filesystem("memory")
    yield files
    files.rm("/bucket", recursive=True)


def put(bucket, path: Path, value: float) -> None:
    npz.write(path, {"params/img/x": np.full(3, value, np.float32)})
    bucket.put_file(str(path), "/bucket/w.npz")


def test_a_file_is_copied_once_until_it_changes(bucket, tmp_path):
    put(bucket, tmp_path / "w", 1)
    calls: list[tuple[int, int | None]] = []
    counts = []
    for _ in range(2):
        file = read("memory://bucket/w.npz:img", progress=lambda *count: calls.append(count))
        assert file.leaves["x"].sum() == 3
        counts.append(len(calls))
    size = (tmp_path / "w").stat().st_size
    assert calls[-1] == (size, size) and counts[0] == counts[1]
    put(bucket, tmp_path / "w", 2)
    assert read("memory://bucket/w.npz").leaves["x"].sum() == 6


def test_a_folder_is_copied_with_all_that_is_below(bucket, tmp_path):
    orbax.write(tmp_path / "tree", {"a/kernel": np.arange(3, dtype=np.float32)})
    bucket.put(str(tmp_path / "tree"), "/bucket/tree", recursive=True)
    assert read("memory://bucket/tree").leaves["a/kernel"].tolist() == [0, 1, 2]


def test_a_missing_file_is_one_sentence(bucket, tmp_path):
    put(bucket, tmp_path / "w", 1)
    with pytest.raises(UserError, match="memory://bucket/x: there is no such file or folder"):
        read("memory://bucket/x")


@pytest.mark.parametrize(("scheme", "library"), [("gs", "gcsfs"), ("s3", "s3fs")])
def test_a_missing_library_is_named_by_its_extra(scheme, library):
    if importlib.util.find_spec(library):
        pytest.skip(f"{library} is installed")
    with pytest.raises(UserError, match=r"pip install 'scenic_video\[(gcs|s3)\]'"):
        read(f"{scheme}://bucket/w.npz")
