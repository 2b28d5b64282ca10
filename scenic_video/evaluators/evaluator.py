"""The interface between runs and evaluators."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from jax.sharding import Mesh

from scenic_video import trainer
from scenic_video.data.examples import Dataset
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.field_types import Count
from scenic_video.tasks.task import Task
from scenic_video.trainer import TrainState

OnBatch = Callable[[int, int], None]
"""Called after every batch with the numbers of finished and of all batches."""

Every = Count | None
"""The interval of an evaluator in steps: None is `trainer.eval_every`, and 0 is never during
training. All evaluators run on the trained model."""


def ignore_batch(done: int, total: int) -> None:
    """An `OnBatch` that does nothing."""


@dataclasses.dataclass(frozen=True)
class Run:
    """The run that is evaluated.

    `test_split` and `batch_size`, global and in videos, are those of the run's own evaluation, the
    `evaluation` node of its config; `num_threads` is per process.
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
    seed: int = 0

    @functools.cached_property
    def eval_step(self) -> trainer.EvalStep:
        """Compiled once for all evaluators of the run."""
        return trainer.compile_evaluation(self.task, self.mesh, seed=self.seed)


@dataclasses.dataclass(frozen=True)
class Result:
    """The results of an evaluator for the state of a step: `metrics` are numbers by name.

    Evaluators with more than numbers return a subclass, whose properties define its output to the
    terminal, to files and to the report.
    """

    step: int
    metrics: dict[str, float]

    def heading(self, name: str) -> str:
        """The heading above the numbers of the evaluator `name`."""
        return name

    def file_name(self, name: str) -> str:
        """The file of the results, without its suffix."""
        return name

    @property
    def coverage(self) -> str:
        """The part of the data that the numbers cover, in a few words."""
        return ""

    @property
    def counts(self) -> Mapping[str, int]:
        """The same as numbers by name, for the report."""
        return {}

    @property
    def remarks(self) -> list[str]:
        """Lines to print below the numbers."""
        return []

    @property
    def summary(self) -> dict[str, Any]:
        """The contents of the .json file."""
        return {"step": self.step, "metrics": self.metrics}

    @property
    def arrays(self) -> dict[str, Any]:
        """The contents of the .npz file beside it, which is written only if there are any."""
        return {}


@runtime_checkable
class Evaluator(Protocol):
    """Computes numbers by name for a state; split evaluations and probes are evaluators.

    A config names evaluators under `evaluators`; each is constructed with the keyword `run` and the
    fields of its node, of which `every` may be one. It runs on every process, and must return the
    same numbers on each.
    """

    @property
    def every(self) -> Every: ...

    def __call__(self, state: TrainState, *, on_batch: OnBatch = ignore_batch) -> Result: ...
