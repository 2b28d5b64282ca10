"""Remarks on a dataset from the names of classes and files, before anything is decoded."""

import collections
import dataclasses

import pytest

from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.data.sources import datasets
from scenic_video.data.sources.remarks import remarks, training_split


def said(folder, *, header="path,label", **splits):
    """The remarks on manifests with these labels, one list per split."""
    for split, names in splits.items():
        rows = [f"{split}{number}.mp4,{name}" for number, name in enumerate(names)]
        (folder / f"{split}.csv").write_text("\n".join([header, *rows]))
        (folder / f"{split}0.mp4").write_bytes(b"")
    return remarks(datasets.open_dataset(folder), train="train")


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        (
            ["001", "002", "001"],
            ["1", "2", "1"],
            [
                "2 classes of 'label' are only in 'test': '1', '2'",
                "classes of 'label' that differ only in spelling: '001'/'1', '002'/'2'",
            ],
        ),
        (
            ["0.0", "1.0", "0.0", "1.0"],
            ["0", "1"],
            [
                "2 classes of 'label' are only in 'test': '0', '1'",
                "classes of 'label' that differ only in spelling: '0'/'0.0', '1'/'1.0'",
            ],
        ),
        (
            ["Run", "jump_high", "Run"],
            ["run", "jump high"],
            [
                "2 classes of 'label' are only in 'test': 'jump high', 'run'",
                "classes of 'label' that differ only in spelling: 'Run'/'run', "
                "'jump high'/'jump_high'",
            ],
        ),
        (
            ["nan", "run", "N/A", "run"],
            ["run", "nan"],
            ["2 classes of 'label' look like empty cells: 'N/A', 'nan'"],
        ),
        (
            ["a", "b", "c", "d", "e", "f", "g", "h", "i"],
            ["a"],
            ["heads that do not look like labels: 'label' (9 classes for 10 examples)"],
        ),
        (["a", "b", "c", "a", "b", "c"], ["a"], []),
        (["-1", "1", "1", "-1"], ["1"], []),
        (["1-2", "12", "1-2", "12"], ["12"], []),
    ],
)
def test_likely_mistakes_in_labels_are_reported(tmp_path, train, test, expected):
    assert said(tmp_path, train=train, test=test) == expected


def test_columns_that_look_unlike_labels_are_reported_with_the_flag_that_leaves_them_out(tmp_path):
    rows = [f"run,{fps},note {number},cold" for number, fps in enumerate((25, 29.97, 25, 29.97))]
    assert said(tmp_path, header="path,label,rate,notes,index", train=rows) == [
        "heads that do not look like labels: 'rate' (numbers with fractions), "
        "'notes' (4 classes for 4 examples), 'index' (by its name); heads=label leaves them out"
    ]


def test_long_lists_of_classes_are_cut(tmp_path):
    names = [f"class {letter}" for letter in "abcdefg"] * 2
    (remark,) = said(tmp_path, train=["x"], test=[*names, "x"])
    assert remark == (
        "7 classes of 'label' are only in 'test': 'class a', 'class b', 'class c', 'class d', ..."
    )


def test_a_clip_with_two_labels_is_reported_by_its_id(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"")
    rows = ["a.mp4,one,0,run", "a.mp4,two,0,jump", "a.mp4,three,2,jump", "a.mp4,four,0,run"]
    (tmp_path / "train.csv").write_text("\n".join(["path,id,start,label", *rows]))
    dataset = datasets.open_dataset(tmp_path)
    assert remarks(dataset, train="train") == ["clips with two different labels: 'two'"]


def test_remarks_of_the_reader_come_first_and_labels_of_records_are_not_read():
    examples = (Example("a", "a.mp4", {"label": (0,)}),)
    labels = LabelSpace({"label": ("nan",)})
    dataset = Dataset("d", {"train": examples}, labels, remarks=("left out: 1 file hidden",))
    empty = "1 class of 'label' looks like an empty cell: 'nan'"
    assert remarks(dataset, train="train") == ["left out: 1 file hidden", empty]
    read_late = dataclasses.replace(dataset, splits={"train": collections.UserList(examples)})
    assert remarks(read_late, train="train") == ["left out: 1 file hidden"]


def test_classes_are_not_compared_without_a_training_split(tmp_path):
    (tmp_path / "a").mkdir()
    assert said(tmp_path / "a", test=["x", "y", "x", "y"]) == []
    assert training_split(["val", "train"]) == "train" and training_split(["fold1", "x"]) == "fold1"
