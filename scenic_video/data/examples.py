"""Datasets: examples, their labels, and splits."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scenic_video.config import ConfigError
from scenic_video.data.file_names import check_file_name
from scenic_video.errors import UserError


@dataclasses.dataclass(frozen=True)
class Example:
    """One clip: its file, the part of it, and its labels.

    `video` is a path, or the encoded bytes of a container (mp4, webm, ... or a JPEG or PNG, which
    is a video of one frame). `start` and `end` are in seconds; `end=None` is the end of the file.
    `labels` are class ids by head: exactly one, or any number if the label space is multi-label.
    `flow` is the file of its optical flow, if not where `scenic-video data flow` writes it.
    """

    id: str
    video: str | bytes
    labels: Mapping[str, tuple[int, ...]]
    start: float = 0.0
    end: float | None = None
    flow: str | None = None


@dataclasses.dataclass(frozen=True)
class LabelSpace:
    """The heads of a dataset and the names of their classes, in the order of class ids."""

    classes: Mapping[str, tuple[str, ...]]
    multilabel: bool = False

    @property
    def num_classes(self) -> dict[str, int]:
        """Head -> number of classes."""
        return {head: len(names) for head, names in self.classes.items()}


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Named splits of examples with one label space.

    `flip_safe` states that a flipped clip keeps its label. `fingerprint` is a short hash of ids,
    labels and splits: two datasets with the same fingerprint have the same examples in the same
    order. `statistics` are the results of `scenic-video data stats` in `folder`, by modality, for
    this dataset and others there. `remarks` are sentences on what its reader left out or assumed.
    """

    name: str
    splits: Mapping[str, Sequence[Example]]
    labels: LabelSpace
    fingerprint: str = ""
    flip_safe: bool = True
    statistics: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    folder: str | None = None
    remarks: Sequence[str] = ()

    def __post_init__(self):
        check_file_name(self.name, "The dataset's name")
        for split in self.splits:
            check_file_name(split, "The split")


def split_of(dataset: Dataset, name: str) -> Sequence[Example]:
    """The split called `name`. Errors: UserError that lists the splits."""
    if name not in dataset.splits:
        raise ConfigError(
            f"Dataset {dataset.name!r} has no split {name!r}; it has {', '.join(dataset.splits)}."
        )
    return dataset.splits[name]


@dataclasses.dataclass(frozen=True)
class Subset(Sequence[Example]):
    """The examples at some positions of others, read on access."""

    examples: Sequence[Example]
    positions: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Subset(self.examples, self.positions[index])
        return self.examples[self.positions[index]]


def random_subset(examples: Sequence[Example], number: int) -> Subset:
    """`number` of the examples, always the same ones, in their original order."""
    if not 1 <= number <= len(examples):
        raise UserError(f"Cannot choose {number} of {len(examples)} examples.")
    chosen = np.random.default_rng(0).permutation(len(examples))[:number]
    return Subset(examples, tuple(sorted(chosen.tolist())))
