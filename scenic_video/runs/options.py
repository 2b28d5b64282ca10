"""How training reads its split, and what is evaluated."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from scenic_video.data.input.views import Views
from scenic_video.field_types import Count, PositiveInt, Seconds, Share

EVALUATION_SPLITS = ("test", "validation", "validate", "val")


@dataclasses.dataclass(frozen=True)
class InputOptions:
    """How training reads its split.

    `batch_size` is global. Threads count per process. The run stops when more than `max_bad_share`
    of the examples cannot be read. `num_examples` trains on that many of the split, a fixed random
    choice: what few labels are worth.
    """

    batch_size: PositiveInt
    split: str = "train"
    num_examples: PositiveInt | None = None
    num_threads: PositiveInt | None = None
    num_workers: Count = 0
    decode_timeout: Seconds = 60.0
    max_bad_share: Share = 0.01


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """What is evaluated: while training with one view a video, at the end with `views`.

    `split=""` is the first of `EVALUATION_SPLITS` that the dataset has.
    """

    split: str = ""
    views: str = "4x3"
    batch_size: PositiveInt = 8

    def __post_init__(self):
        Views.parse(self.views)


@dataclasses.dataclass(frozen=True)
class InitOptions:
    """The weights of which run, or runs, to start from; without a workdir, none.

    `head` is of use where the run has other classes. `trust` lets the run name code of others, see
    `trust`. Further fields are those of the `target`, which takes the weights over.
    """

    workdir: str | Sequence[str] = ""
    allow_other_positions: bool = False
    head: Literal["new", "by_name"] | None = None
    trust: bool = False
