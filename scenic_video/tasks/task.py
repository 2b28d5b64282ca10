"""The interface of tasks."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from clu.metrics import Metric
from jaxtyping import Array, Float

from scenic_video.errors import UserError

Batch = dict[str, Any]
"""{"inputs": {modality: array}, "label": {head: array}, "mask": [B]}; in evaluation every input
has an axis of views after the batch axis."""

Variables = dict[str, Any]
"""Flax collections: {"params": ..., "batch_stats": ...}."""


FIELDS = (
    "A task returns scenic_video.tasks.task.Output(loss=, weight=, metrics={name: Metric}, "
    "model_state={}, predictions={head: [B, ...]})."
)


class Output(NamedTuple):
    """The results for one batch.

    `loss` is a mean over `weight` examples (or tokens), so that micro-batches of uneven weight
    add up exactly: sum(loss * weight) / sum(weight). `model_state` holds the collections other
    than params, as updated by the model. `predictions` are per example, [B, ...].
    """

    loss: jax.Array
    weight: jax.Array
    metrics: dict[str, Metric]
    model_state: Variables
    predictions: Mapping[str, jax.Array]


@runtime_checkable
class Task(Protocol):
    """A model and what it is trained for."""

    def init(self, rng: jax.Array, batch: Batch) -> Variables: ...

    def __call__(
        self, variables: Variables, batch: Batch, *, rng: jax.Array, train: bool
    ) -> Output: ...


def output_of(
    task: Task, variables: Variables, batch: Batch, *, rng: jax.Array, train: bool
) -> Output:
    """The output of a task for a batch. Errors: UserError unless it is a complete `Output`."""
    try:
        output = task(variables, batch, rng=rng, train=train)
    except TypeError as error:
        if not str(error).startswith("Output.__new__()"):
            raise
        words = str(error).removeprefix("Output.__new__() ")
        raise UserError(f"{_name(task)} returns an Output that is {words}. {FIELDS}") from error
    _check_output(output, task)
    state = {name: x for name, x in variables.items() if name != "params"}
    if train and jax.tree.structure(output.model_state) != jax.tree.structure(state):
        raise UserError(
            f"{_name(task)} returns the model_state {jax.tree.map(jnp.shape, output.model_state)}; "
            f"wanted the collections other than params: {jax.tree.map(jnp.shape, state)}."
        )
    return output


def _check_output(output: Any, task: Task) -> None:
    if not isinstance(output, Output):
        raise UserError(f"{_name(task)} returns a {type(output).__name__}. {FIELDS}")
    for field in ("loss", "weight"):
        if jnp.shape(getattr(output, field)) != ():
            raise UserError(
                f"{_name(task)}: {field} has the shape {jnp.shape(getattr(output, field))}; wanted "
                "one number: the mean loss over a batch, and the number of its examples."
            )
    for field in ("metrics", "model_state", "predictions"):
        if not isinstance(value := getattr(output, field), Mapping):
            raise UserError(
                f"{_name(task)}: {field} is a {type(value).__name__}; wanted a dict. {FIELDS}"
            )
    for name, metric in output.metrics.items():
        if not isinstance(metric, Metric):
            raise UserError(
                f"{_name(task)}: the metric {name!r} is a {type(metric).__name__}; wanted one of "
                "clu.metrics, such as scenic_video.metrics.scalar(value, weight)."
            )


def _name(task: Task) -> str:
    return type(task).__name__


@runtime_checkable
class FeatureExtractor(Protocol):
    """A task that also computes feature vectors of examples, for probes of its model.

    `batch` is an evaluation batch; its labels are not used. Each example has one vector, the mean
    over its views, which is meaningless if no modality is present.
    """

    def features(self, variables: Variables, batch: Batch) -> Float[Array, "b d"]: ...
