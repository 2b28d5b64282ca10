"""Names of splits and data sets become file names, and never paths elsewhere."""

import pytest

from scenic_video.cli import main
from scenic_video.data.examples import Dataset, LabelSpace
from scenic_video.data.file_names import check_file_name


@pytest.mark.parametrize("name", ["train", "test 2", "älles", "..a", "movi-a[:10%]"])
def test_valid_file_names_are_accepted(name):
    check_file_name(name, "The split")


@pytest.mark.parametrize("name", ["", ".", "..", "../../x", "a/b", "a\\b", "a\0b", "x" * 201])
def test_a_name_of_a_split_or_dataset_that_is_a_path_is_refused(name):
    labels = LabelSpace({})
    with pytest.raises(ValueError, match="Rename it"):
        Dataset("videos", {name: ()}, labels)
    with pytest.raises(ValueError, match="Rename it"):
        Dataset(name, {"train": ()}, labels)


def test_a_dataset_folder_cannot_redirect_its_copy(clips, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "train.csv").write_text(f"path,label\n{clips[0].video},a\n")
    (tmp_path / "in" / "dataset.json").write_text('{"splits": {"../../out": "train.csv"}}')
    for verb in ("transcode", "build"):
        out = tmp_path / "a" / "b" / verb
        assert main(["data", verb, str(tmp_path / "in"), f"--out={out}"]) == 2
        assert "../../out" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
