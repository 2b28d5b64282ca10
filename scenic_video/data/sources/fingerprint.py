"""The fingerprint of a dataset: a hash of its examples, the same wherever its files are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from scenic_video.data.examples import Example, LabelSpace
from scenic_video.json_hash import json_hash

NO_LABELS = LabelSpace({})


@runtime_checkable
class StoredExamples(Protocol):
    """A split that states its fingerprint, since its examples would have to be read for it."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def whole_fingerprint(self) -> str:
        """The fingerprint of the split that this is a slice of, or its own."""
        ...


def fingerprint(splits: Mapping[str, Sequence[Example]], labels: LabelSpace) -> str:
    """Of class names, split names, and ids, times and labels of examples, but not of paths."""
    return json_hash(_parts(splits, labels))


def examples_fingerprint(examples: Sequence[Example]) -> str:
    """The fingerprint of examples in any order, without their labels and the name of their split.

    That of a slice of stored examples is that of the whole split.
    """
    if isinstance(examples, StoredExamples):
        return examples.whole_fingerprint
    return fingerprint({"": sorted(examples, key=_id_and_times)}, NO_LABELS)


def _parts(splits: Mapping[str, Sequence[Example]], labels: LabelSpace) -> Iterable[list[Any]]:
    yield [list(labels.classes.items()), labels.multilabel]
    for split, examples in splits.items():
        if isinstance(examples, StoredExamples):
            yield [split, examples.fingerprint]
            continue
        yield [split]
        for example in examples:
            classes = [list(example.labels[head]) for head in labels.classes]
            yield [example.id, example.start, example.end, classes]


def _id_and_times(example: Example) -> tuple[str, float, float]:
    end = float("inf") if example.end is None else example.end
    return str(example.id), example.start, end
