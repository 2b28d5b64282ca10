"""A fingerprint changes with the content of a dataset, and with nothing else."""

import json

import pytest

from scenic_video.data.sources.fingerprint import examples_fingerprint, fingerprint
from scenic_video.data.sources.labels import label_space, to_examples
from scenic_video.data.sources.manifest import read_manifest


@pytest.fixture
def write(tmp_path):
    def write(text, name="train.csv"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


def test_the_fingerprint_covers_ids_labels_splits_times_and_class_names_but_no_paths(
    write, tmp_path
):
    def of(text, split="train", classes=None, root=None):
        rows = {split: read_manifest(write(text), root=root)}
        space = label_space(rows, classes=classes)
        return fingerprint(to_examples(rows, space), space)

    base = "path,start,id,label\na,0,1,x\nb,0,2,y\n"
    original = of(base)
    assert len(original) == 16 and int(original, 16) >= 0
    assert of(base.replace("a,0", "c,0"), root=tmp_path / "elsewhere") == original
    changes = [
        of(base.replace("a,0,1", "a,0,3")),
        of(base.replace("2,y", "2,x"), classes=["x", "y"]),
        of(base.replace("a,0", "a,0.5")),
        of(base, split="test"),
        of(base, classes=["x", "y", "z"]),
        of("path,start,id,label\nb,0,2,y\na,0,1,x\n"),
    ]
    assert len({original, *changes}) == 7


def test_the_fingerprint_is_the_same_on_every_machine(write):
    rows = {"train": read_manifest(write(json.dumps({"path": "ä", "label": "x"}), "a.jsonl"))}
    space = label_space(rows)
    assert fingerprint(to_examples(rows, space), space) == "0c4197075fa87114"


def test_examples_have_one_fingerprint_whatever_their_labels_and_order(write):
    def of(text):
        rows = {"train": read_manifest(write(text))}
        return examples_fingerprint(to_examples(rows, label_space(rows))["train"])

    first = of("path,verb\n0.mp4,x\n1.mp4,y\n")
    assert first == of("path,noun\n1.mp4,a\n0.mp4,a\n")
    assert first != of("path,verb\n0.mp4,x\n2.mp4,y\n")
    assert first != of("path,end,verb\n0.mp4,,x\n1.mp4,0.5,y\n")
    assert first != of("path,verb\n0.mp4,x\n")
