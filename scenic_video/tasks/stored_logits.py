"""The metrics of Classification from stored logits of one or several models."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Shaped

from scenic_video import metrics
from scenic_video.tasks.classification import Classification
from scenic_video.tasks.task import Batch

ROWS_AT_A_TIME = 256
"""Limits the memory for the scores of all combinations of the heads' classes."""


class Scored(NamedTuple):
    """The metrics of stored logits, and the averaged logits [N, C] by head."""

    metrics: dict[str, float]
    logits: dict[str, np.ndarray]


def score(
    task: Classification,
    logits: Mapping[str, Float[np.ndarray, "m n _"]],
    label: Mapping[str, Shaped[np.ndarray, "n ..."]],
    mask: Shaped[np.ndarray, "n"],
    *,
    weights: Sequence[float] | None = None,
    average: str = "probabilities",
) -> Scored:
    """The metrics of `task` for the average of the logits of m models, head -> [m, N, C].

    The models take the place of the views of an example, so that averages, losses and metrics are
    computed as in an evaluation. `weights` are positive, one per model; only their ratios matter.
    `average` is as `average_views` of the task. Averages of probabilities are returned as their
    logarithms (multi-label: as log-odds).
    """
    together = np.concatenate([logits[head] for head in task.heads], axis=-1)
    weight = np.ones(len(together)) if weights is None else np.asarray(weights) / max(weights)
    stored = dataclasses.replace(
        task, model=_Stored(), transform=_weighted, modalities=None, average_views=average
    )

    @jax.jit
    def evaluate(batch: Batch):
        output = stored({}, batch, rng=jax.random.key(0), train=False)
        return output.metrics, output.predictions

    outputs = [jax.device_get(evaluate(x)) for x in _batches(together, weight, label, mask)]
    total = functools.reduce(metrics.merge, [found for found, _ in outputs])
    averaged = jax.tree.map(lambda *parts: np.concatenate(parts), *[x for _, x in outputs])
    return Scored(metrics.compute(total), averaged)


def _batches(together, weight, label, mask) -> Iterator[Batch]:
    """Batches whose views are the logits of the models."""
    for start in range(0, len(mask), ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        shown = np.swapaxes(together[:, rows], 0, 1).astype(np.float32)
        of_views = np.broadcast_to(weight.astype(np.float32), shown.shape[:2])
        yield {
            "inputs": {"logits": shown, "weight": of_views},
            "label": {head: x[rows] for head, x in label.items()},
            "mask": mask[rows].astype(np.float32),
        }


@dataclasses.dataclass(frozen=True)
class _Stored:
    """Takes the place of a model: returns the logits that it is called with."""

    def apply(self, variables: Any, *, logits: jax.Array, train: bool) -> jax.Array:
        return logits


def _weighted(inputs: Mapping[str, jax.Array], *, rng: Any, train: bool) -> dict[str, Any]:
    """Passes the weights as presence, by which views are averaged."""
    return {"logits": inputs["logits"], "presence": {"logits": inputs["weight"]}}
