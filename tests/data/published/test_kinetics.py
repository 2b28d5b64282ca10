import json

import pytest

from scenic_video.cli import main
from scenic_video.data.published.kinetics import kinetics

TRAIN = """label,youtube_id,time_start,time_end,split
testifying,---QUuC4vJs,84,94,train
eating spaghetti,--3ouPhoy2A,20,30,train
testifying,-0IErS_cisg,5,15,train
"""
VALIDATE = """label,youtube_id,time_start,time_end,split
dribbling basketball,--4-0ihtnBU,58,68,validate
"""


def test_clips_are_found_in_class_folders_or_in_one_folder(put, write, described):
    root = put(
        "testifying/---QUuC4vJs_000084_000094.mp4",
        "eating_spaghetti/--3ouPhoy2A_000020_000030.mkv",
        "-0IErS_cisg_000005_000015.webm",
        "--4-0ihtnBU.MP4",
    )
    splits = {"train": write("train.csv", TRAIN), "test": write("validate.csv", VALIDATE)}
    dataset = kinetics(splits, root=root)
    assert dataset.labels.classes["label"] == (
        "dribbling basketball",
        "eating spaghetti",
        "testifying",
    )
    assert described(dataset, "train") == [
        (
            "---QUuC4vJs_000084_000094",
            "testifying/---QUuC4vJs_000084_000094.mp4",
            {"label": ("testifying",)},
        ),
        (
            "--3ouPhoy2A_000020_000030",
            "eating_spaghetti/--3ouPhoy2A_000020_000030.mkv",
            {"label": ("eating spaghetti",)},
        ),
        (
            "-0IErS_cisg_000005_000015",
            "-0IErS_cisg_000005_000015.webm",
            {"label": ("testifying",)},
        ),
    ]
    assert [path for _, path, _ in described(dataset, "test")] == ["--4-0ihtnBU.MP4"]
    assert dataset.splits["train"][0].end is None  # clips are trimmed


def test_other_file_names_can_be_given(put, write, described):
    root = put("58/--4-0ihtnBU.mp4")
    splits = {"test": write("validate.csv", VALIDATE)}
    dataset = kinetics(splits, root=root, files=("{start}/{id}",))
    assert [path for _, path, _ in described(dataset, "test")] == ["58/--4-0ihtnBU.mp4"]
    with pytest.raises(ValueError, match="fields are id, label, folder, start, end"):
        kinetics(splits, root=root, files=("{youtube_id}",))


def test_a_table_without_the_columns_is_an_error(put, write):
    with pytest.raises(ValueError, match="no column 'label', only path, class"):
        kinetics({"train": write("train.csv", "path,class\na.mp4,1\n")}, root=put("a.mp4"))


def test_the_node_in_a_json_file_can_be_checked(put, write, capsys):
    root = put("--4-0ihtnBU.mp4")
    node = {
        "target": "scenic_video.data.published.kinetics:kinetics",
        "splits": {"test": write("validate.csv", VALIDATE)},
        "root": root,
    }
    path = write("kinetics.json", json.dumps(node))
    assert main(["data", "check", path, "--strict"]) == 0
    out = capsys.readouterr().out
    assert "dribbling basketball" in out and "All 1 examples can be read." in out
