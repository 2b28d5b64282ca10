"""How training reads its split, and what is evaluated."""

import dataclasses
from collections.abc import Sequence

from scenic_video.config import ConfigError
from scenic_video.data.sampling import check_training_crop
from scenic_video.views import Views

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

    batch_size: int
    split: str = "train"
    num_examples: int | None = None
    scale_jitter: Sequence[float | int] | None = None
    crop_area: Sequence[float | int] | None = None
    flip: bool | None = None
    num_threads: int | None = None
    num_workers: int = 0
    decode_timeout: float | int = 60.0
    max_bad_share: float | int = 0.01

    def __post_init__(self):
        _check_positive("input.batch_size", self.batch_size)
        check_training_crop(scale_jitter=self.scale_jitter, crop_area=self.crop_area)


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """What is evaluated: while training with one view a video, at the end with `views`.

    `split=""` is the first of `EVALUATION_SPLITS` that the dataset has.
    """

    split: str = ""
    views: str = "4x3"
    batch_size: int = 8

    def __post_init__(self):
        _check_positive("evaluation.batch_size", self.batch_size)
        Views.parse(self.views)


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise ConfigError(f"{name} must be 1 or more; got {value}.")
