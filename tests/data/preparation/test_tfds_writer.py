import dataclasses
import subprocess
import sys
from typing import Any

import pytest
import tensorflow_datasets

from scenic_video.data import synthetic
from scenic_video.data.preparation.tfds_writer import build_tfds
from scenic_video.data.sources import datasets
from scenic_video.data.synthetic.scenes import SHAPES
from tests.helpers.errors import message

SETTINGS = {"num_clips": 12, "size": 32, "seconds": 0.5}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return synthetic.synthesize(tmp_path_factory.mktemp("building") / "videos", **SETTINGS)


@pytest.fixture(scope="module")
def dataset(videos):
    return synthetic.dataset(str(videos), **SETTINGS)


def encoded(example):
    """The example as stored in records."""
    with open(example.video, "rb") as file:
        return dataclasses.replace(example, video=file.read())


@pytest.mark.parametrize(
    "options",
    [
        {"heads": "action"},
        {"heads": ["shape", "action"], "classes": {"shape": list(reversed(SHAPES))}},
        {"heads": "shapes", "multilabel": True, "flip_safe": False},
        {"heads": ()},
    ],
    ids=["one head", "two heads", "multi-label", "no labels"],
)
def test_a_round_trip_changes_nothing(videos, tmp_path, options):
    folder = videos / "shapes" if "multilabel" in options else videos
    splits = {split: str(folder / f"{split}.csv") for split in ("test", "train")}
    original = datasets.manifest(splits, **options)
    directory = build_tfds(original, tmp_path / "records", name="clips")
    copy = datasets.tfds(str(directory))
    assert list(copy.splits) == ["test", "train"]
    for split, examples in original.splits.items():
        assert list(copy.splits[split]) == [encoded(example) for example in examples]
    assert copy.labels == original.labels
    assert copy.fingerprint == original.fingerprint
    assert copy.flip_safe == original.flip_safe
    assert copy.name == "clips"


def test_times_are_stored_exactly(videos, tmp_path):
    manifest = tmp_path / "train.csv"
    manifest.write_text("path,start,end\n00000.mp4,0.1,0.30000000000000004\n00001.mp4,0.2,\n")
    original = datasets.manifest({"train": str(manifest)}, root=str(videos / "train"))
    copy = datasets.tfds(str(build_tfds(original, tmp_path / "records")))
    assert [(ex.id, ex.start, ex.end) for ex in copy.splits["train"]] == [
        ("00000.mp4#0.1-0.30000000000000004", 0.1, 0.30000000000000004),
        ("00001.mp4#0.2-", 0.2, None),
    ]
    assert copy.fingerprint == original.fingerprint


def test_tfds_alone_reads_it(dataset, tmp_path):
    directory = build_tfds(dataset, tmp_path / "records", num_shards=2)
    builder: Any = tensorflow_datasets.builder_from_directory(directory)
    source = builder.as_data_source("train")
    record = source[7]
    assert len(source) == 10 and record["video_id"] == b"train/00007.mp4"
    assert record["video"] == encoded(dataset.splits["train"][7]).video
    assert record["action"] == 7
    assert len(list(directory.glob("*train.array_record*"))) == 2


def test_the_videos_are_stored_as_they_are(dataset, tmp_path):
    directory = build_tfds(dataset, tmp_path / "records")
    stored = sum(file.stat().st_size for file in directory.glob("*array_record*"))
    videos = sum(len(encoded(ex).video) for split in dataset.splits.values() for ex in split)
    # ArrayRecord writes blocks of 64 KiB: at least two in each of the two files.
    assert videos < stored <= 1.02 * videos + 4 * 2**16


def test_records_can_be_built_from_records(dataset, tmp_path):
    first = datasets.tfds(str(build_tfds(dataset, tmp_path / "first")))
    second = datasets.tfds(str(build_tfds(first, tmp_path / "second", num_shards=2)))
    assert second.fingerprint == dataset.fingerprint
    assert list(second.splits["train"]) == list(first.splits["train"])


def test_progress_counts_the_examples_of_all_splits(dataset, tmp_path, capsys):
    seen = []
    build_tfds(dataset, tmp_path / "r", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 12) for done in range(1, 13)]
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == ""


# Errors


@pytest.mark.parametrize("num_shards", [0, 3])
def test_an_impossible_number_of_shards_is_refused(dataset, tmp_path, num_shards):
    words = message(build_tfds, dataset, tmp_path / "records", num_shards=num_shards)
    assert f"{num_shards} shards are not possible" in words


def test_existing_output_is_refused(dataset, tmp_path):
    (tmp_path / "records").mkdir()
    build_tfds(dataset, tmp_path / "records")  # an empty folder is no output
    words = message(build_tfds, dataset, tmp_path / "records")
    assert "records already exists. Delete it or choose another directory." in words


def test_a_killed_build_is_reported(dataset, tmp_path):
    (tmp_path / "records.incomplete").mkdir()
    words = message(build_tfds, dataset, tmp_path / "records")
    assert "records.incomplete is left over from a build that was interrupted" in words


def test_a_failed_build_leaves_nothing_behind(dataset, tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_tfds(dataset, tmp_path / "records", progress=stop)
    assert not list(tmp_path.iterdir())
    build_tfds(dataset, tmp_path / "records")


def test_missing_files_are_counted_before_anything_is_written(dataset, tmp_path):
    lost = dataclasses.replace(dataset.splits["train"][3], video="/nowhere/a.mp4")
    broken = dataclasses.replace(dataset, splits={"train": (*dataset.splits["train"], lost)})
    words = message(build_tfds, broken, tmp_path / "records")
    assert "1 of 11 videos of the split 'train' are missing, such as /nowhere/a.mp4" in words
    assert not list(tmp_path.iterdir())


def test_many_clips_of_one_file_are_refused(dataset, tmp_path):
    first = dataset.splits["train"][0]
    clips = tuple(dataclasses.replace(first, id=f"{i}", start=i / 10) for i in range(3))
    cut = dataclasses.replace(dataset, splits={"train": clips})
    words = message(build_tfds, cut, tmp_path / "records")
    assert "cuts 3 clips from 1 files" in words and "data transcode" in words


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"name": "My clips"}, "'My clips' is not a TFDS name"),
        ({"classes": {"video": ("a",)}}, "The head 'video' cannot be stored"),
        ({"classes": {"a/b": ("a",)}}, "The head 'a/b' cannot be stored"),
        ({"classes": {"a": ("two\nlines",)}}, "The class 'two\\nlines' of 'a' cannot be stored"),
    ],
)
def test_names_that_tfds_cannot_write_are_refused(dataset, tmp_path, options, complaint):
    labels = dataclasses.replace(
        dataset.labels, classes=options.get("classes", dataset.labels.classes)
    )
    wrong = dataclasses.replace(dataset, labels=labels)
    words = message(build_tfds, wrong, tmp_path / "records", name=options.get("name"))
    assert complaint in words


def test_building_needs_no_tensorflow(videos, tmp_path):
    code = (
        "import sys; from scenic_video.data.preparation import tfds_writer; "
        "from scenic_video.data.sources import datasets; "
        f"dataset = datasets.manifest({{'train': {str(videos / 'train.csv')!r}}}, heads='action'); "
        f"tfds_writer.build_tfds(dataset, {str(tmp_path / 'records')!r}); "
        "print('tensorflow' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
    assert len(datasets.tfds(str(tmp_path / "records")).splits["train"]) == 10


def test_records_with_features_outside_of_tfds_are_refused(dataset, tmp_path, monkeypatch):
    folder = build_tfds(dataset, tmp_path / "records")
    path = folder / "features.json"
    (tmp_path / "of_elsewhere.py").write_text("raise SystemExit('imported by data')\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = path.read_text()
    named = "tensorflow_datasets.core.features.text_feature.Text"
    assert named in text
    path.write_text(text.replace(named, "of_elsewhere.Text", 1))
    with pytest.raises(ValueError, match=r"features\.json names the class 'of_elsewhere\.Text'"):
        datasets.open_dataset(folder)


@pytest.mark.parametrize("name", ["huggingface:x", "kaggle:user/x", "https://host/x", "../x"])
def test_names_that_are_not_in_the_catalogue_are_refused(name):
    with pytest.raises(ValueError, match="neither a folder with TFDS records nor"):
        datasets.tfds(name)
