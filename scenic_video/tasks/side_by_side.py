"""Evaluates several tasks on the same batches, such as one model with different inputs."""

import dataclasses
from collections.abc import Mapping

import jax

from scenic_video.errors import UserError
from scenic_video.tasks.task import Batch, Output, Task, Variables


@dataclasses.dataclass(frozen=True)
class SideBySide:
    """Evaluates `tasks` on the same variables and batches, which are decoded only once.

    Metrics and predictions are named "task/name". The loss is the sum of the losses of all tasks.
    """

    tasks: Mapping[str, Task]

    def init(self, rng: jax.Array, batch: Batch) -> Variables:
        return next(iter(self.tasks.values())).init(rng, batch)

    def __call__(
        self, variables: Variables, batch: Batch, *, rng: jax.Array, train: bool
    ) -> Output:
        if train:
            raise UserError("SideBySide is only for evaluation; train the tasks one at a time.")
        outputs = {
            name: task(variables, batch, rng=rng, train=False) for name, task in self.tasks.items()
        }
        return Output(
            loss=sum((output.loss for output in outputs.values()), start=jax.numpy.zeros(())),
            weight=jax.numpy.ones(()),
            metrics={f"{name}/{k}": v for name, o in outputs.items() for k, v in o.metrics.items()},
            model_state={},
            predictions={
                f"{name}/{k}": v for name, o in outputs.items() for k, v in o.predictions.items()
            },
        )
