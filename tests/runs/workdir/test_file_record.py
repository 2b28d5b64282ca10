"""Files that were replaced are told from those that were copied or moved."""

import os
import shutil
from collections.abc import Sequence

import numpy as np
import pytest

from scenic_video.data.examples import Example
from scenic_video.runs.workdir.file_record import (
    MOST_CONTENTS,
    Comparison,
    FileRecord,
    compare,
    files_of,
)


def compared(record: FileRecord | None, files: Sequence[str]) -> Comparison:
    """How files differ from a record of as many."""
    assert record is not None
    found = compare(record, files)
    assert found is not None
    return found


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for index in range(6):
        (folder / f"{index}.mp4").write_bytes(bytes([index]) * 100)
    return [str(folder / f"{index}.mp4") for index in range(6)]


def test_files_left_alone_are_the_same_and_the_record_survives_the_disk(files, tmp_path):
    FileRecord.of(files).save(tmp_path / "files.npz")
    record = FileRecord.load(tmp_path / "files.npz")
    found = compared(record, files)
    assert (found.replaced, found.rewritten) == ([], [])


def test_other_sizes_and_other_content_of_the_same_size_are_replaced(files):
    record = FileRecord.of(files)
    with open(files[1], "ab") as file:
        file.write(b"more")
    with open(files[4], "wb") as file:
        file.write(b"x" * 100)
    assert compared(record, files).replaced == [1, 4]


def test_files_moved_or_copied_are_the_same(files, tmp_path):
    record = FileRecord.of(files)
    copies = tmp_path / "copies"
    shutil.copytree(tmp_path / "clips", copies, copy_function=shutil.copyfile)
    for index in range(6):
        os.utime(copies / f"{index}.mp4", (1, 1))
    found = compared(record, [str(copies / f"{index}.mp4") for index in range(6)])
    assert (found.replaced, found.rewritten, found.num_same) == ([], list(range(6)), 6)
    assert compared(found.now, [str(path) for path in sorted(copies.iterdir())]).rewritten == []


def test_a_file_that_is_gone_is_for_the_reader_to_tell(files):
    record = FileRecord.of(files)
    os.remove(files[2])
    assert compared(record, files).replaced == []
    assert compare(record, files[:-1]) is None


@pytest.mark.parametrize("damage", [b"", b"PK", b"text"])
def test_a_damaged_record_is_none(tmp_path, damage):
    (tmp_path / "files.npz").write_bytes(damage)
    assert FileRecord.load(tmp_path / "files.npz") is None


def test_few_contents_are_read_of_many_files(tmp_path):
    files = [str(tmp_path / "none" / str(index)) for index in range(5000)]
    record = FileRecord.of(files)
    assert len(record.contents) == MOST_CONTENTS and (record.sizes == -1).all()
    assert np.unique(record.sample).size == MOST_CONTENTS


def test_every_file_is_looked_at_once_and_bytes_not_at_all(files):
    examples = [Example(f"{i}", files[0], {}, start=float(i)) for i in range(3)]
    assert files_of({"train": examples, "test": [Example("b", b"bytes", {})]}) == [files[0]]
