"""How training reads its split, and what is evaluated."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from scenic_video.data.input.geometry import Geometry
from scenic_video.data.input.views import Views
from scenic_video.field_types import Count, Positive, PositiveInt, PositiveShare, Seconds, Share

EVALUATION_SPLITS = ("test", "validation", "validate", "val")


@dataclasses.dataclass(frozen=True)
class InputOptions:
    """How training reads its split.

    `batch_size` is global. `scale_jitter` draws the resized height and width apart from each
    other, as factors from this range; `crop_area`, such as (0.08, 1.0), instead cuts out a box
    with a share of the picture's area from that range, of any aspect from 3/4 to 4/3. `flip=None`
    mirrors half of the clips where the dataset says that this keeps the label. Threads count per
    process. The run stops when more than `max_bad_share` of the examples cannot be read.
    `num_examples` trains on that many of the split, a fixed random choice: what few labels are
    worth.
    """

    batch_size: PositiveInt
    split: str = "train"
    num_examples: PositiveInt | None = None
    scale_jitter: Sequence[Positive] | None = None
    crop_area: Sequence[PositiveShare] | None = None
    flip: bool | None = None
    num_threads: PositiveInt | None = None
    num_workers: Count = 0
    decode_timeout: Seconds = 60.0
    max_bad_share: Share = 0.01

    def __post_init__(self):
        self.geometry  # noqa: B018 (refuses ranges that cannot be)

    @property
    def geometry(self) -> Geometry:
        return Geometry(self.scale_jitter, self.crop_area, self.flip)


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
