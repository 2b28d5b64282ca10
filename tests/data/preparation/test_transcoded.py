import dataclasses
import json
import shutil

import pytest

from scenic_video.data import synthetic
from scenic_video.data.decoding.video_info import inspect
from scenic_video.data.preparation.tfds_writer import build_tfds
from scenic_video.data.preparation.transcoded import transcode_dataset
from scenic_video.data.sources import datasets
from scenic_video.data.sources.manifest import write_manifest
from scenic_video.data.synthetic.scenes import ACTIONS
from tests.helpers.errors import message

SETTINGS = {"num_clips": 6, "size": 48, "seconds": 0.5}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return synthetic.synthesize(tmp_path_factory.mktemp("transcoded") / "videos", **SETTINGS)


@pytest.fixture(scope="module")
def dataset(videos):
    return synthetic.read(str(videos))


def small_copy(dataset, directory, **options):
    return transcode_dataset(dataset, directory, num_workers=0, short_side=32, **options)


def test_the_copy_is_the_same_dataset_in_smaller_files(dataset, tmp_path):
    seen = []
    copy = small_copy(
        dataset, tmp_path / "small", progress=lambda done, total: seen.append((done, total))
    )
    assert (copy.num_written, copy.num_kept, list(copy.failed)) == (6, 0, [])
    assert seen == [(done, 6) for done in range(1, 7)]
    small = datasets.open_dataset(tmp_path / "small")
    assert small.fingerprint == dataset.fingerprint
    assert small.labels == dataset.labels and not small.flip_safe and small.name == dataset.name
    for split, examples in dataset.splits.items():
        for one, other in zip(examples, small.splits[split], strict=True):
            assert dataclasses.replace(other, video=one.video) == one
            assert (inspect(one.video).height, inspect(other.video).height) == (48, 32)


def test_the_copy_can_be_moved(dataset, tmp_path):
    small_copy(dataset, tmp_path / "small")
    shutil.move(tmp_path / "small", tmp_path / "moved")
    moved = datasets.open_dataset(tmp_path / "moved")
    assert inspect(moved.splits["train"][0].video).height == 32


def test_heads_of_the_copy_can_be_selected(videos, tmp_path):
    both = synthetic.read(str(videos), heads=["action", "shape"])
    small_copy(both, tmp_path / "small")
    verbs = datasets.open_dataset(tmp_path / "small", heads={"verb": "action"})
    assert verbs.labels.classes == {"verb": ACTIONS}


def test_multilabel_copies_stay_multilabel(videos, tmp_path):
    several = synthetic.read(str(videos), heads="shapes")
    small_copy(several, tmp_path / "small")
    assert datasets.open_dataset(tmp_path / "small").labels == several.labels


def test_a_second_call_keeps_existing_files(dataset, tmp_path):
    small_copy(dataset, tmp_path / "small")
    (tmp_path / "small/train/train/00002.mp4").unlink()
    again = small_copy(dataset, tmp_path / "small")
    assert (again.num_written, again.num_kept) == (1, 5)


def test_clips_are_cut_out_of_their_files(videos, tmp_path):
    manifest = tmp_path / "train.csv"
    shutil.copy(videos / "train/00000.mp4", tmp_path / "long.mp4")
    manifest.write_text("path,start,end,label\nlong.mp4,0,0.25,x\nlong.mp4,0.25,,y\n")
    small_copy(datasets.open_dataset(manifest), tmp_path / "small")
    clips = datasets.open_dataset(tmp_path / "small").splits["train"]
    assert [(clip.id, clip.start, clip.end) for clip in clips] == [
        ("long.mp4#0.0-0.25", 0.0, None),
        ("long.mp4#0.25-", 0.0, None),
    ]
    assert [len(inspect(clip.video).timestamps) for clip in clips] == [3, 3]
    assert len({clip.video for clip in clips}) == 2


def test_ids_that_are_not_file_names_get_separate_files(videos, tmp_path):
    odd = ["a:b", "a?b", "../x", "/etc/passwd", "a.webm", "a.mp4", "ä/b.mp4", "..", "x" * 999]
    rows = "".join(f"{videos}/train/00000.mp4,{name}\n" for name in odd)
    (tmp_path / "train.csv").write_text("path,id\n" + rows)
    small_copy(datasets.open_dataset(tmp_path / "train.csv"), tmp_path / "small")
    clips = datasets.open_dataset(tmp_path / "small").splits["train"]
    assert [clip.id for clip in clips] == odd
    assert len({clip.video for clip in clips}) == len(odd)
    for clip in clips:
        assert (tmp_path / "small" / "train") in (tmp_path / str(clip.video)).resolve().parents


def test_unreadable_videos_are_left_out_and_reported(videos, tmp_path):
    shutil.copy(videos / "train/00000.mp4", tmp_path / "good.mp4")
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    (tmp_path / "train.csv").write_text("path,label\ngood.mp4,x\nbad.mp4,y\n")
    copy = small_copy(datasets.open_dataset(tmp_path / "train.csv"), tmp_path / "small")
    assert (copy.num_written, len(copy.failed)) == (1, 1)
    assert "bad.mp4" in copy.failed[0].error and "Invalid data" in copy.failed[0].error
    left = datasets.open_dataset(tmp_path / "small")
    assert [clip.id for clip in left.splits["train"]] == ["good.mp4"]
    assert left.labels.classes == {"label": ("x", "y")}


def test_a_split_without_any_readable_video_is_an_error(tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    (tmp_path / "train.csv").write_text("path,label\nbad.mp4,y\n")
    dataset = datasets.open_dataset(tmp_path / "train.csv")
    words = message(small_copy, dataset, tmp_path / "small")
    assert "No video of the split 'train' could be transcoded" in words and "bad.mp4" in words


def test_other_settings_and_other_data_are_refused(dataset, tmp_path):
    small_copy(dataset, tmp_path / "small")
    words = message(transcode_dataset, dataset, tmp_path / "small", short_side=24)
    assert "short_side=32 instead of 24" in words
    other = dataclasses.replace(dataset, fingerprint="0" * 16)
    assert "source=" in message(small_copy, other, tmp_path / "small")


def test_a_folder_of_other_data_is_left_alone(videos, dataset):
    before = (videos / "train.csv").read_text()
    assert "it was not made here" in message(small_copy, dataset, videos)
    assert (videos / "train.csv").read_text() == before


def test_records_are_refused(dataset, tmp_path):
    records = datasets.tfds(str(build_tfds(dataset, tmp_path / "records")))
    assert "only files can be transcoded" in message(small_copy, records, tmp_path / "small")
    assert not (tmp_path / "small").exists()


@pytest.mark.parametrize(
    ("classes", "complaint"),
    [
        ({"label": ("a|b",)}, "The class 'a|b' of 'label' cannot be written to a manifest"),
        ({"path": ("a",)}, "The head 'path' cannot be the name of a column"),
    ],
)
def test_names_that_a_manifest_cannot_contain_are_refused(dataset, tmp_path, classes, complaint):
    labels = dataclasses.replace(dataset.labels, classes=classes)
    assert complaint in message(write_manifest, tmp_path / "train.csv", [], labels)
    assert not list(tmp_path.iterdir())


def test_the_settings_are_recorded(dataset, tmp_path):
    small_copy(dataset, tmp_path / "small", crf=30)
    noted = json.loads((tmp_path / "small" / "transcoded.json").read_text())
    assert noted == {"source": dataset.fingerprint, "short_side": 32, "crf": 30}
