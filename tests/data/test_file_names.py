"""Files are named after splits and data sets, and lie where they should."""

import pytest

from scenic_video.cli import main
from scenic_video.data.examples import Dataset, LabelSpace
from scenic_video.data.file_names import check_file_name


@pytest.mark.parametrize("name", ["train", "test 2", "älles", "..a", "movi-a[:10%]"])
def test_names_of_one_file_pass(name):
    check_file_name(name, "The split")


@pytest.mark.parametrize("name", ["", ".", "..", "../../x", "a/b", "a\\b", "a\0b", "x" * 201])
def test_a_split_or_dataset_whose_name_leads_elsewhere_is_refused(name):
    labels = LabelSpace({})
    with pytest.raises(ValueError, match="Rename it"):
        Dataset("videos", {name: ()}, labels)
    with pytest.raises(ValueError, match="Rename it"):
        Dataset(name, {"train": ()}, labels)


def test_a_folder_of_data_cannot_have_its_copy_written_elsewhere(clips, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "train.csv").write_text(f"path,label\n{clips[0].video},a\n")
    (tmp_path / "in" / "dataset.json").write_text('{"splits": {"../../out": "train.csv"}}')
    for verb in ("transcode", "build"):
        out = tmp_path / "a" / "b" / verb
        assert main(["data", verb, str(tmp_path / "in"), f"--out={out}"]) == 2
        assert "../../out" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
