"""Files that were replaced are distinguished from those that were copied or moved."""

import os
import shutil
from collections.abc import Sequence

import numpy as np
import pytest

from scenic_video.data.provenance.file_states import MOST_CONTENTS, Comparison, FileStates, compare


def compared(earlier: FileStates | None, files: Sequence[str]) -> Comparison:
    """How as many files differ from earlier states."""
    assert earlier is not None
    found = compare(earlier, files)
    assert found is not None
    return found


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for index in range(6):
        (folder / f"{index}.mp4").write_bytes(bytes([index]) * 100)
    return [str(folder / f"{index}.mp4") for index in range(6)]


def test_unchanged_files_are_the_same_and_states_are_read_as_written(files, tmp_path):
    FileStates.of(files).save(tmp_path / "files.npz")
    earlier = FileStates.load(tmp_path / "files.npz")
    found = compared(earlier, files)
    assert (found.replaced, found.rewritten) == ([], [])


def test_other_sizes_and_other_content_of_the_same_size_are_replaced(files):
    earlier = FileStates.of(files)
    with open(files[1], "ab") as file:
        file.write(b"more")
    with open(files[4], "wb") as file:
        file.write(b"x" * 100)
    assert compared(earlier, files).replaced == [1, 4]


def test_files_moved_or_copied_are_the_same(files, tmp_path):
    earlier = FileStates.of(files)
    copies = tmp_path / "copies"
    shutil.copytree(tmp_path / "clips", copies, copy_function=shutil.copyfile)
    for index in range(6):
        os.utime(copies / f"{index}.mp4", (1, 1))
    found = compared(earlier, [str(copies / f"{index}.mp4") for index in range(6)])
    assert (found.replaced, found.rewritten, found.num_same) == ([], list(range(6)), 6)
    assert compared(found.now, [str(path) for path in sorted(copies.iterdir())]).rewritten == []


def test_a_missing_file_is_not_compared(files):
    earlier = FileStates.of(files)
    os.remove(files[2])
    assert compared(earlier, files).replaced == []
    assert compare(earlier, files[:-1]) is None


@pytest.mark.parametrize("damage", [b"", b"PK", b"text"])
def test_a_damaged_file_of_states_is_none(tmp_path, damage):
    (tmp_path / "files.npz").write_bytes(damage)
    assert FileStates.load(tmp_path / "files.npz") is None


def test_few_contents_are_read_of_many_files(tmp_path):
    files = [str(tmp_path / "none" / str(index)) for index in range(5000)]
    earlier = FileStates.of(files)
    assert len(earlier.contents) == MOST_CONTENTS and (earlier.sizes == -1).all()
    assert np.unique(earlier.sample).size == MOST_CONTENTS
