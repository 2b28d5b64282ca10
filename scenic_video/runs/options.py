"""The options of a run's input, evaluation and initial weights."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from scenic_video.config import ConfigError, check_fields
from scenic_video.data.input.views import Views
from scenic_video.field_types import Count, Extents, PositiveInt, Seconds, Share
from scenic_video.weights.resampling import Patches, PositionsBy

EVALUATION_SPLITS = ("test", "validation", "validate", "val")


@dataclasses.dataclass(frozen=True)
class InputOptions:
    """How training reads its split.

    `batch_size` is global; threads and workers are per process. The run stops when more than
    `max_bad_share` of the examples cannot be read. `num_examples` trains on a fixed random subset
    of that size, as in low-shot training.
    """

    batch_size: PositiveInt
    split: str = "train"
    num_examples: PositiveInt | None = None
    num_threads: PositiveInt | None = None
    num_workers: Count = 0
    decode_timeout: Seconds = 60.0
    max_bad_share: Share = 0.01

    def __post_init__(self):
        check_fields(self)


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """The evaluation: with one view per video during training, with `views` at the end.

    `split=""` is the first of `EVALUATION_SPLITS` that the dataset has.
    """

    split: str = ""
    views: str = "4x3"
    batch_size: PositiveInt = 8

    def __post_init__(self):
        check_fields(self)
        Views.parse(self.views)


@dataclasses.dataclass(frozen=True)
class InitOptions:
    """The run or file, or several, whose weights a run starts from; without one, they are random.

    `workdir` is the folder of a run of this package, and `path` a public checkpoint: a file or
    folder, an address such as gs://, s3:// or https://, or hf:org/name, whose format and family are
    recognised by its content. `head` says what happens to the head if the classes differ: "new"
    initialises it randomly, "by_name" keeps the classes with the same names; None allows only the
    same classes. `labels` is a file of class names, one per line, for a checkpoint in `path` that
    does not name its classes. `source_grid` is the number of patches (rows, columns) that the
    source's learned positions are for, or one such pair per source; by default, it follows from the
    source's config. `positions_by` and `patches` are how positions and patches of other sizes are
    resampled, see `Resampling`. `trust` lets the source's config name code outside this package,
    see `scenic_video.trust`. The fields of the function `target`, which transfers the weights, are
    given beside these; by default it is the one that the model's class names in `starts_by`.
    """

    workdir: str | Sequence[str] = ""
    path: str | Sequence[str] = ""
    allow_other_positions: bool = False
    head: Literal["new", "by_name"] | None = None
    labels: str = ""
    source_grid: Extents | Sequence[Extents] | None = None
    positions_by: PositionsBy = "linear"
    patches: Patches = "same"
    trust: bool = False

    def __post_init__(self):
        check_fields(self)
        if self.workdir and self.path:
            raise ConfigError(
                f"A run starts from init.workdir ({self.workdir}) or init.path ({self.path}), not "
                "from both. Leave one out, as by --config.init.workdir=''."
            )

    @property
    def sources(self) -> str | Sequence[str]:
        """What the weights come from; "" if they are random."""
        return self.path or self.workdir
