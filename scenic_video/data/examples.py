"""What a dataset is made of: examples, their labels, and the splits they lie in."""

import dataclasses
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Example:
    """One clip: where it lies and what is known of it.

    `video` is a path, or the encoded bytes of a container (mp4, webm, ... or a JPEG or PNG, which
    is a video of one frame). `start` and `end` are seconds; `end=None` is the end of the file.
    `labels` holds class ids by head: exactly one, or any number where the label space says so.
    """

    id: str
    video: str | bytes
    labels: Mapping[str, tuple[int, ...]]
    start: float = 0.0
    end: float | None = None


@dataclasses.dataclass(frozen=True)
class LabelSpace:
    """The heads that a dataset labels and the names of their classes, in the order of the ids."""

    classes: Mapping[str, tuple[str, ...]]
    multilabel: bool = False

    @property
    def num_classes(self) -> dict[str, int]:
        """Head -> number of classes."""
        return {head: len(names) for head, names in self.classes.items()}


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Named splits of examples under one label space.

    `flip_safe` says that a mirrored clip keeps its label. `fingerprint` is a short hash of ids,
    labels and splits: two datasets with the same fingerprint hold the same examples in the same
    order.
    """

    name: str
    splits: Mapping[str, Sequence[Example]]
    labels: LabelSpace
    fingerprint: str = ""
    flip_safe: bool = True
