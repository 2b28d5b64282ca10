"""What a run asks of an evaluator, and what an evaluator may use of the run."""

import dataclasses
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from jax.sharding import Mesh

from scenic_video.data.examples import Dataset
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.tasks.task import Task
from scenic_video.trainer import TrainState

OnBatch = Callable[[int, int], None]
"""Hears of every batch: how many are done, of how many."""


def unheard(done: int, total: int) -> None:
    """An `OnBatch` for those who do not care."""


@dataclasses.dataclass(frozen=True)
class Run:
    """The run that is evaluated. `test_split` is the one that its own evaluation reads.

    `batch_size` is global, of videos; threads count per process.
    """

    task: Task
    mesh: Mesh
    dataset: Dataset
    preprocessing: Preprocessing
    train_split: str
    test_split: str
    batch_size: int
    num_threads: int | None = None
    decode_timeout: float | int = 60.0


@runtime_checkable
class Evaluator(Protocol):
    """Numbers by name, of a state: what else is to be known of a run than its loss on a split.

    A config names evaluators under `evaluators`; each is made with the keyword `run` and the fields
    of its node. It runs on every process, and must give the same numbers on each.
    """

    def __call__(self, state: TrainState, *, on_batch: OnBatch = unheard) -> dict[str, float]: ...
