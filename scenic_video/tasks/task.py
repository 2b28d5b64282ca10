"""What the trainer asks of a task."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
from clu.metrics import Metric
from jaxtyping import Array, Float

Batch = dict[str, Any]
"""{"inputs": {modality: array}, "label": {head: array}, "mask": [B]}; in evaluation every input
has an axis of views behind the batch axis."""

Variables = dict[str, Any]
"""Flax collections: {"params": ..., "batch_stats": ...}."""


class Output(NamedTuple):
    """What one batch gave.

    `loss` is a mean over `weight` examples (or tokens), so that micro-batches of uneven weight
    add up exactly: sum(loss * weight) / sum(weight). `model_state` holds the collections other
    than params as the model left them. `predictions` are per example, [B, ...].
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


@runtime_checkable
class FeatureExtractor(Protocol):
    """A task that also describes examples by vectors, for probes of what its model has learned.

    `batch` is one of evaluation; its labels are not read. An example has one vector, the mean over
    its views. That of an example without any present modality means nothing.
    """

    def features(self, variables: Variables, batch: Batch) -> Float[Array, "b d"]: ...
