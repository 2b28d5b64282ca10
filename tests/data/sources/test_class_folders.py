"""Class folders: what is read, and that skipped files are reported."""

import os

import pytest

from scenic_video.data.sources import datasets
from scenic_video.data.sources.fingerprint import fingerprint
from tests.helpers.errors import message


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_folders_of_splits_of_classes(tmp_path):
    touch(
        tmp_path / "train/run/b.mp4",
        tmp_path / "train/run/a.MP4",
        tmp_path / "train/jump fast/c.webm",
        tmp_path / "train/run/notes.txt",
        tmp_path / ".cache/run/x.mp4",
        tmp_path / "val/run/a.mp4",
    )
    dataset = datasets.class_folders(str(tmp_path), flip_safe=False)
    assert dataset.labels.classes == {"label": ("jump fast", "run")}
    assert {
        split: [(example.id, example.labels["label"]) for example in examples]
        for split, examples in dataset.splits.items()
    } == {
        "train": [("jump fast/c.webm", (0,)), ("run/a.MP4", (1,)), ("run/b.mp4", (1,))],
        "val": [("run/a.mp4", (1,))],
    }
    assert not dataset.flip_safe


def test_class_folders_are_split_by_a_hash_of_ids(tmp_path):
    def split_of():
        dataset = datasets.class_folders(str(tmp_path), test_fraction=0.25)
        assert list(dataset.splits) == ["train", "test"]
        return {ex.id: split for split, examples in dataset.splits.items() for ex in examples}

    touch(*(tmp_path / f"{name}/{i}.mp4" for name in ("run", "jump") for i in range(100)))
    before = split_of()
    assert 30 < list(before.values()).count("test") < 70
    touch(*(tmp_path / f"swim/{i}.mp4" for i in range(50)))
    after = split_of()
    assert len(after) == 250 and {id: after[id] for id in before} == before


def test_images_are_examples_like_videos(tmp_path):
    names = ("a.jpg", "b.JPEG", "c.png", "d.webp", "e.bmp")
    touch(*(tmp_path / "train/run" / name for name in (*names, "f.txt")))
    dataset = datasets.class_folders(str(tmp_path))
    assert [example.id for example in dataset.splits["train"]] == [f"run/{name}" for name in names]


def test_images_beside_videos_are_refused_until_suffixes_selects_one_kind(tmp_path):
    touch(tmp_path / "train/run/a.mp4", tmp_path / "train/run/a.jpg", tmp_path / "train/run/b.mp4")
    words = message(datasets.class_folders, str(tmp_path))
    assert "contains 2 videos and 1 images" in words and "suffixes=('.mp4',)" in words
    dataset = datasets.class_folders(str(tmp_path), suffixes=[".jpg"])
    assert [example.id for example in dataset.splits["train"]] == ["run/a.jpg"]


def test_test_fraction_zero_holds_nothing_out(tmp_path):
    touch(tmp_path / "run/a.mp4")
    dataset = datasets.class_folders(str(tmp_path), test_fraction=0.0, head="action")
    assert list(dataset.splits) == ["train"] and set(dataset.labels.classes) == {"action"}


@pytest.mark.parametrize(
    ("files", "options", "complaint"),
    [
        (["train/run/a.txt"], {}, "The split 'train' of"),
        (["train/run/deep/a.mp4"], {}, "left out: 1 file in deeper folders (train/run/deep)"),
        (["train/run/1.mp4", "bus/1.mp4"], {}, "left out: 1 file beside the class folders (bus/1"),
        (["run/a.mp4"], {}, "run/a.mp4 is the only video, but both train and test need one"),
        (["Train/run/a.mp4", "train/run/b.mp4"], {}, "'train' are both the split 'train'"),
        (
            ["run/a.mp4"],
            {"test_fraction": 1.0},
            "test_fraction is 1.0; wanted a number",
        ),
        (
            ["train/run/a.mp4", "test/jump/b.mp4"],
            {"classes": ["run"]},
            "'jump' is not one of the 1",
        ),
    ],
)
def test_folders_that_are_not_datasets_are_errors(tmp_path, files, options, complaint):
    touch(*(tmp_path / file for file in files))
    assert complaint in message(datasets.class_folders, str(tmp_path), **options)


def test_a_missing_folder_is_an_error(tmp_path):
    assert "There is no folder" in message(datasets.class_folders, str(tmp_path / "nowhere"))


def test_skipped_files_are_counted_and_listed(tmp_path):
    (tmp_path / "train/climb").mkdir(parents=True)
    touch(
        *(tmp_path / "train/run/person01" / f"{number}.mp4" for number in range(3)),
        *(tmp_path / "train/jump" / name for name in ("1.mp4", "._1.mp4", "a.txt", "b.doc")),
        tmp_path / "train/jump/1.mp4.flow.mp4",
        tmp_path / "train/run/.cache/x.mp4",
        tmp_path / "train/extra.mp4",
        tmp_path / "test/jump/8.mp4",
    )
    dataset = datasets.open_dataset(tmp_path)
    assert [example.id for example in dataset.splits["train"]] == ["jump/1.mp4"]
    assert dataset.remarks == (
        "left out: 3 files in deeper folders (train/run/person01)",
        "left out: 2 files with other suffixes (.doc .txt)",
        "left out: 1 file hidden (train/jump/._1.mp4)",
        "left out: 1 file beside the class folders (train/extra.mp4)",
        "left out: 2 class folders without files (train/climb, train/run)",
    )


def test_suffixes_of_cameras_and_phones_are_videos(tmp_path):
    names = ("a.MTS", "b.3gp", "c.flv", "d.gif", "e.m2ts", "f.mxf", "g.ogv", "h.vob")
    touch(*(tmp_path / "train/run" / name for name in names))
    dataset = datasets.class_folders(str(tmp_path))
    assert [example.id for example in dataset.splits["train"]] == [f"run/{name}" for name in names]
    assert dataset.remarks == ()


def test_folders_of_splits_may_have_other_spellings(tmp_path):
    touch(tmp_path / "Training/run/a.mp4", tmp_path / "TEST/run/b.mp4", tmp_path / "val/run/c.mp4")
    dataset = datasets.class_folders(str(tmp_path))
    assert list(dataset.splits) == ["train", "val", "test"]
    assert dataset.remarks == (
        "the folder 'Training' is the split 'train'",
        "the folder 'TEST' is the split 'test'",
    )


def test_a_class_may_be_called_train(tmp_path):
    touch(*(tmp_path / name / f"{i}.mp4" for name in ("train", "bus") for i in range(20)))
    dataset = datasets.class_folders(str(tmp_path))
    assert dataset.labels.classes == {"label": ("bus", "train")}
    assert dataset.remarks == ("the folder 'train' contains videos, so it is a class",)


def test_at_least_one_video_is_in_each_split(tmp_path):
    touch(tmp_path / "a/1.mp4", tmp_path / "b/2.mp4", tmp_path / "b/3.mp4")
    few = datasets.class_folders(str(tmp_path), test_fraction=1e-9)
    (held_out,) = few.splits["test"]
    assert len(few.splits["train"]) == 2 and few.remarks == (
        f"none of 3 videos was selected for 'test', so {held_out.id} is used (test_fraction=1e-09)",
    )
    many = datasets.class_folders(str(tmp_path), test_fraction=1 - 1e-9)
    assert [len(split) for split in many.splits.values()] == [1, 2]


def test_names_that_are_not_text_are_escaped_and_their_files_found(tmp_path):
    folder = os.fsencode(tmp_path)
    for name in (b"train/caf\xe9", b"train/b"):
        os.makedirs(os.path.join(folder, name))
        with open(os.path.join(folder, name, b"v\xff.mp4"), "wb"):
            pass
    dataset = datasets.class_folders(str(tmp_path))
    assert dataset.labels.classes == {"label": ("b", "caf\\udce9")}
    for example in dataset.splits["train"]:
        assert os.path.exists(example.video)
        example.id.encode("utf-8")
    assert dataset.splits["train"][1].id == "caf\\udce9/v\\udcff.mp4"
    assert dataset.fingerprint == fingerprint(dataset.splits, dataset.labels)
