"""A run does not continue with other clips than it started with."""

import pytest

from scenic_video.config import ConfigError
from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.runs.workdir.trained_files import STATES_FILE, check_files, files_of


@pytest.fixture
def dataset(tmp_path):
    examples = []
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_bytes(name.encode() * 50)
        examples.append(Example(name, str(tmp_path / f"{name}.mp4"), {"label": (0,)}))
    return Dataset("d", {"train": examples}, LabelSpace({"label": ("x",)}))


def test_a_clip_that_was_replaced_is_named_unless_the_file_of_states_is_deleted(dataset, tmp_path):
    assert check_files(dataset, tmp_path, resumes=False) == ""
    assert check_files(dataset, tmp_path, resumes=True) == ""
    (tmp_path / "b.mp4").write_bytes(b"x" * 50)
    with pytest.raises(ConfigError, match=r"1 of 3 video files have changed.*\n.*b\.mp4\n"):
        check_files(dataset, tmp_path, resumes=True)
    (tmp_path / STATES_FILE).unlink()
    assert check_files(dataset, tmp_path, resumes=True) == ""


def test_a_damaged_file_of_states_is_written_again_with_a_remark(dataset, tmp_path):
    (tmp_path / STATES_FILE).write_bytes(b"PK")
    assert "has been written again" in check_files(dataset, tmp_path, resumes=True)
    assert check_files(dataset, tmp_path, resumes=True) == ""


def test_clips_that_were_copied_again_are_a_remark(dataset, tmp_path):
    check_files(dataset, tmp_path, resumes=False)
    (tmp_path / "b.mp4").write_bytes(b"b" * 50)
    said = check_files(dataset, tmp_path, resumes=True)
    assert said.startswith("1 of 3 video files were written again since")
    assert check_files(dataset, tmp_path, resumes=True) == ""


def test_every_file_counts_once_and_encoded_bytes_do_not(dataset):
    file = dataset.splits["train"][0].video
    examples = [Example(f"{i}", file, {}, start=float(i)) for i in range(3)]
    assert files_of({"train": examples, "test": [Example("b", b"bytes", {})]}) == [file]
