"""A run does not go on with other clips than it began with."""

import pytest

from scenic_video.config import ConfigError
from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.runs.workdir.trained_files import RECORD, check_files


@pytest.fixture
def dataset(tmp_path):
    examples = []
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_bytes(name.encode() * 50)
        examples.append(Example(name, str(tmp_path / f"{name}.mp4"), {"label": (0,)}))
    return Dataset("d", {"train": examples}, LabelSpace({"label": ("x",)}))


def test_a_clip_that_was_replaced_is_named_unless_the_record_is_deleted(dataset, tmp_path):
    assert check_files(dataset, tmp_path, resumes=False) == ""
    assert check_files(dataset, tmp_path, resumes=True) == ""
    (tmp_path / "b.mp4").write_bytes(b"x" * 50)
    with pytest.raises(ConfigError, match=r"1 of 3 video files are not those.*\n.*b\.mp4\n"):
        check_files(dataset, tmp_path, resumes=True)
    (tmp_path / RECORD).unlink()
    assert check_files(dataset, tmp_path, resumes=True) == ""


def test_a_damaged_record_is_told_and_written_anew(dataset, tmp_path):
    (tmp_path / RECORD).write_bytes(b"PK")
    assert "written anew" in check_files(dataset, tmp_path, resumes=True)
    assert check_files(dataset, tmp_path, resumes=True) == ""


def test_clips_that_were_copied_anew_are_a_remark(dataset, tmp_path):
    check_files(dataset, tmp_path, resumes=False)
    (tmp_path / "b.mp4").write_bytes(b"b" * 50)
    said = check_files(dataset, tmp_path, resumes=True)
    assert said.startswith("1 of 3 video files were written at another time")
    assert check_files(dataset, tmp_path, resumes=True) == ""
