"""Datasets of user functions are checked."""

from typing import Any

import numpy as np
import pytest

from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.data.input.rows import label_arrays
from scenic_video.runs.parts import build_dataset
from tests.helpers.errors import message

MINE = f"{__name__}:mine"
LABELS = LabelSpace({"label": ("run", "jump", "swim")})


def mine(found: Any) -> Any:
    """The return value of a user's function."""
    return found[0]


def with_fields(thing: Any, **fields: Any) -> Any:
    """`thing` with fields of wrong types, which the type checker of the tests would refuse."""
    for name, value in fields.items():
        object.__setattr__(thing, name, value)
    return thing


def example(**fields: Any) -> Example:
    return with_fields(Example("clip 7", "a.mp4", {"label": (0,)}), **fields)


def dataset(*examples: Any, labels: LabelSpace = LABELS) -> Dataset:
    first = Example("first", "a.mp4", {head: (0,) for head in labels.classes})
    return with_fields(Dataset("mine", {}, labels), splits={"train": [first, *examples]})


def refusal(found: Any) -> str:
    return message(build_dataset, {"target": MINE, "found": [found]})


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"label": (5,)}, "the class id 5 is out of range; the 3 classes have the ids 0 to 2"),
        ({"label": (-1,)}, "the class id -1 is out of range"),
        ({"label": 2}, "the label is 2; wanted a tuple of class ids, such as (2,)"),
        ({"label": "swim"}, "the label is 'swim'; wanted a tuple of class ids, such as (2,)"),
        ({"label": ("swim",)}, "the label 'swim' is not a class id (an integer). Its id is 2."),
        ({"label": (1.0,)}, "the label 1.0 is not a class id"),
        ({"label": (True,)}, "the label True is not a class id"),
        ({"label": (0, 1)}, "has 2 classes for 'label'; a dataset that is not multilabel needs"),
        ({"label": ()}, "has 0 classes for 'label'"),
        ({"lable": (0,)}, "has no label for 'label', only for 'lable'; the dataset's heads are"),
        (2, "has the labels 2; wanted class ids by head, such as {'label': (0,)}"),
    ],
)
def test_invalid_labels_are_refused_when_the_dataset_is_opened(labels, words):
    found = refusal(dataset(example(labels=labels)))
    assert "Example 'clip 7'" in found and words in found


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"video": None}, "example 1 of the split 'train' has the id 'clip 7' and the video None"),
        ({"id": 7}, "has the id 7"),
        ({"start": "0:10"}, "goes from start='0:10' to end=None; wanted increasing seconds"),
        ({"start": 2.0, "end": 1.0}, "goes from start=2.0 to end=1.0; wanted increasing seconds"),
    ],
)
def test_examples_with_invalid_fields_are_refused(fields, words):
    assert words in refusal(dataset(example(**fields)))


def test_anything_but_a_dataset_is_an_error_that_describes_one():
    assert "mine returned a list, not a dataset. Return" in refusal([example()])
    assert "mine returned None, not a dataset" in refusal(None)
    assert "example 1 of the split 'train' is a dict" in refusal(dataset({"path": "a.mp4"}))
    assert "`splits` is a list" in refusal(with_fields(dataset(), splits=[example()]))
    assert "the split 'test' has no examples" in refusal(
        with_fields(dataset(), splits={"test": []})
    )
    assert "the split 'test' is an int" in refusal(with_fields(dataset(), splits={"test": 3}))


def test_classes_must_be_names_not_a_number():
    counted = with_fields(LabelSpace({}), classes={"label": 3})
    assert "the classes of 'label' are 3; wanted their names" in refusal(
        with_fields(dataset(), labels=counted)
    )
    assert "`labels` is 3" in refusal(with_fields(dataset(), labels=3))


def test_numpy_ids_are_valid_and_multi_labels_may_be_empty():
    many = LabelSpace({"tags": ("a", "b")}, multilabel=True)
    found = dataset(example(labels={"tags": ()}), example(labels={"tags": [1, 0]}), labels=many)
    assert build_dataset({"target": MINE, "found": [found]}).labels == many
    one = build_dataset(
        {"target": MINE, "found": [dataset(example(labels={"label": (np.int64(1),)}))]}
    )
    assert len(one.fingerprint) == 16


class Lazy:
    """Examples that are created on access, like records."""

    def __len__(self) -> int:
        return 10**9

    def __getitem__(self, index: int) -> Example:
        return example(labels={"label": (index,)})


def test_labels_of_lazy_splits_are_checked_on_access():
    lazy = with_fields(dataset(), splits={"train": Lazy()}, fingerprint="known")
    train = build_dataset({"target": MINE, "found": [lazy]}).splits["train"]
    assert label_arrays(train[2], LABELS) == {"label": 2}
    assert "'clip 7', head 'label': the class id 3 is out of range" in message(
        label_arrays, train[3], LABELS
    )
