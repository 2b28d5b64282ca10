"""What a run asks of an evaluator, and what an evaluator may use of the run."""

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
"""Called after every batch with how many are done, and of how many."""

Every = Count | None
"""After how many steps an evaluator runs: None is `trainer.eval_every`, and 0 is never while a
model is trained. The trained model is evaluated by all."""


def ignore_batch(done: int, total: int) -> None:
    """An `OnBatch` that does nothing."""


@dataclasses.dataclass(frozen=True)
class Run:
    """The run that is evaluated.

    `test_split` and `batch_size`, global and in videos, are those of the run's own evaluation, the
    `evaluation` node of its config; threads count per process.
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
    """What an evaluator found of the state of a step: `metrics` are numbers by name.

    Evaluators that find more than numbers return a subclass, whose properties say what of it goes
    to the terminal, to files and into the report.
    """

    step: int
    metrics: dict[str, float]

    def heading(self, name: str) -> str:
        """What the numbers of the evaluator `name` stand under."""
        return name

    def file_name(self, name: str) -> str:
        """The file of the results, without its suffix."""
        return name

    @property
    def coverage(self) -> str:
        """How much of the data the numbers are of, in a few words."""
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
        """What the .json file holds."""
        return {"step": self.step, "metrics": self.metrics}

    @property
    def arrays(self) -> dict[str, Any]:
        """What the .npz file beside it holds; without any there is no such file."""
        return {}


@runtime_checkable
class Evaluator(Protocol):
    """Numbers by name, of a state; the evaluation of a split and the probes are of this kind.

    A config names evaluators under `evaluators`; each is made with the keyword `run` and the fields
    of its node, of which `every` may be one. It runs on every process, and must give the same
    numbers on each.
    """

    @property
    def every(self) -> Every: ...

    def __call__(self, state: TrainState, *, on_batch: OnBatch = ignore_batch) -> Result: ...
