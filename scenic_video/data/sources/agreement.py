"""Checks the parts of a dataset, and that its labels fit its label space."""

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.errors import UserError


def checked(found: Any, *, maker: str) -> Dataset:
    """`found`, the return value of `maker`, once checked to be a dataset that fits its label space.

    Splits that read examples on access are skipped; `check_labels` checks those as they are loaded.
    Errors: UserError with the id of the example and what to change.
    """
    if not isinstance(found, Dataset):
        raise UserError(
            f"{maker} returned {_kind(found)}, not a dataset. Return "
            "scenic_video.data.examples.Dataset(name=..., splits={'train': [Example(...), ...]}, "
            "labels=LabelSpace({'label': ('run', 'jump')}))."
        )
    _check_label_space(found.labels, maker)
    if not isinstance(found.splits, Mapping) or not found.splits:
        raise UserError(
            f"{maker}: `splits` is {_kind(found.splits)}; wanted split names -> examples, "
            "{'train': [Example(...), ...]}."
        )
    for split, examples in found.splits.items():
        _check_split(split, examples, found.labels, maker)
    return found


def check_labels(example: Example, labels: LabelSpace) -> None:
    """Errors: UserError unless an example has one class id of `labels` per head.

    With a multi-label space, any number of them per head.
    """
    if not isinstance(example.labels, Mapping):
        raise UserError(
            f"Example {example.id!r} has the labels {example.labels!r}; wanted class ids by head, "
            f"such as {_example_labels(labels)}."
        )
    for head, names in labels.classes.items():
        if head not in example.labels:
            raise UserError(
                f"Example {example.id!r} has no label for {head!r}, only for "
                f"{', '.join(map(repr, example.labels)) or 'nothing'}; the dataset's heads are "
                f"{', '.join(map(repr, labels.classes))}."
            )
        _check_ids(example, head, names, multilabel=labels.multilabel)


def _check_ids(example: Example, head: str, names: Sequence[str], *, multilabel: bool) -> None:
    ids, where = example.labels[head], f"Example {example.id!r}, head {head!r}"
    if not isinstance(ids, tuple | list):
        remedy = (names.index(ids),) if ids in names else (ids if _is_id(ids) else 0,)
        raise UserError(
            f"{where}: the label is {ids!r}; wanted a tuple of class ids, such as {remedy!r}."
        )
    for index in ids:
        if not _is_id(index):
            remedy = f" Its id is {names.index(index)}." if index in names else ""
            raise UserError(f"{where}: the label {index!r} is not a class id (an integer).{remedy}")
        if not 0 <= index < len(names):
            raise UserError(
                f"{where}: the class id {index} is out of range; the {len(names)} classes have the "
                f"ids 0 to {len(names) - 1}."
            )
    if len(ids) != 1 and not multilabel:
        raise UserError(
            f"Example {example.id!r} has {len(ids)} classes for {head!r}; a dataset that is not "
            "multilabel needs exactly one."
        )


def _is_id(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _check_label_space(labels: Any, maker: str) -> None:
    if not isinstance(labels, LabelSpace) or not isinstance(labels.classes, Mapping):
        raise UserError(
            f"{maker}: `labels` is {labels!r}; wanted the names of the classes by head, "
            "LabelSpace({'label': ('run', 'jump')})."
        )
    for head, names in labels.classes.items():
        are_names = isinstance(names, tuple | list) and all(isinstance(x, str) for x in names)
        if not are_names or not names:
            raise UserError(
                f"{maker}: the classes of {head!r} are {names!r}; wanted their names in the order "
                "of their ids, such as ('run', 'jump')."
            )


def _check_split(split: str, examples: Any, labels: LabelSpace, maker: str) -> None:
    if not hasattr(examples, "__len__") or not hasattr(examples, "__getitem__"):
        raise UserError(
            f"{maker}: the split {split!r} is {_kind(examples)}; wanted a sequence of examples "
            "(a list, or a class with __len__ and __getitem__)."
        )
    if not len(examples):
        raise UserError(f"{maker}: the split {split!r} has no examples.")
    if isinstance(examples, tuple | list):
        for position, example in enumerate(examples):
            if wrong := _problem(example):
                raise UserError(f"{maker}: example {position} of the split {split!r} {wrong}")
            check_labels(example, labels)


def _problem(example: Any) -> str:
    """What is wrong with the parts of an example, to follow its name in a sentence; else ""."""
    if not isinstance(example, Example):
        return (
            f"is {_kind(example)}; wanted Example(id=..., video=path, labels={{'label': (id,)}})."
        )
    if not isinstance(example.id, str) or not isinstance(example.video, str | bytes):
        return (
            f"has the id {example.id!r} and the video {_kind(example.video)}; wanted the id as "
            "str, the video as path (str) or as bytes of the file."
        )
    end = example.start if example.end is None else example.end
    if not isinstance(example.start, Real) or not isinstance(end, Real) or end < example.start:
        return (
            f"{example.id!r} goes from start={example.start!r} to end={example.end!r}; wanted "
            "increasing seconds, or end=None for the end of the file."
        )
    return ""


def _example_labels(labels: LabelSpace) -> str:
    return repr({head: (0,) for head in labels.classes})


def _kind(value: Any) -> str:
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
