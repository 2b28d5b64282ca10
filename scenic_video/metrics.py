"""Metrics: computed per batch, merged over batches, read once.

A metric accumulates sums, so that its value is exactly that of the whole data set, for batches of
uneven size, with padding and on any number of hosts. Rows whose mask is 0 are padding and do not
count, whatever their values. If no row counts, the value is nan.
"""

import math
from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from clu.metrics import Metric
from flax import struct
from jaxtyping import Float, Num, Shaped

from scenic_video.errors import UserError

AnyArray = jax.Array | np.ndarray
Labels = Shaped[AnyArray, "b"] | Shaped[AnyArray, "b c"]
"""Class ids, or zeros and ones where several classes may be correct."""


@struct.dataclass
class Mean(Metric):
    """A weighted mean: `total` / `weight`."""

    total: Any
    weight: Any

    @classmethod
    def from_model_output(
        cls,
        values: Shaped[AnyArray, "b *shape"],
        mask: Shaped[AnyArray, "b"] | None = None,
        **_: Any,
    ) -> "Mean":
        """The mean of `values`, with row i weighted by `mask[i]` (equally without a mask)."""
        values = jnp.asarray(values, jnp.float32)
        weight = jnp.ones(len(values)) if mask is None else jnp.asarray(mask, jnp.float32)
        weight = jnp.broadcast_to(weight.reshape(-1, *[1] * (values.ndim - 1)), values.shape)
        return cls(total=jnp.where(weight > 0, values * weight, 0.0).sum(), weight=weight.sum())

    @classmethod
    def empty(cls) -> "Mean":
        return cls(total=jnp.zeros(()), weight=jnp.zeros(()))

    def merge(self, other: "Mean") -> "Mean":
        return Mean(total=self.total + other.total, weight=self.weight + other.weight)

    def compute(self) -> Any:
        with np.errstate(invalid="ignore"):
            return self.total / self.weight


def scalar(value: Any, weight: Any = 1.0) -> Mean:
    """A number of a whole batch, such as a norm, or a loss that is a mean over `weight` rows."""
    value, weight = jnp.asarray(value, jnp.float32), jnp.asarray(weight, jnp.float32)
    return Mean(total=jnp.where(weight > 0, value * weight, 0.0), weight=weight)


def accuracy(
    logits: Float[AnyArray, "b c"],
    labels: Labels,
    mask: Shaped[AnyArray, "b"] | None = None,
    *,
    k: int = 1,
) -> Mean:
    """The share of rows whose `k` highest logits include a correct class.

    `labels` are ids [B], or [B, C] with 1 for correct classes (ReaL labels of ImageNet). Equal
    logits are ranked by class id, so a constant output does not count as correct.
    """
    return Mean.from_model_output(_is_among_top(logits, labels, k), mask)


def joint_accuracy(
    logits: Mapping[str, Float[AnyArray, "b _"]],
    labels: Mapping[str, Labels],
    mask: Shaped[AnyArray, "b"] | None = None,
    *,
    k: int = 1,
) -> Mean:
    """Accuracy of the combination of all heads, such as a verb with its noun.

    The score of a combination is the product of the softmaxes of its classes; the best combination
    is correct if every head is.
    """
    if k == 1:
        right = [_is_among_top(logits[head], labels[head], 1) for head in logits]
        return Mean.from_model_output(jnp.stack(right).all(axis=0), mask)
    batch_size = len(next(iter(logits.values())))
    scores, right = jnp.zeros((batch_size, 1)), jnp.ones((batch_size, 1), bool)
    for head in logits:
        log_softmax = jax.nn.log_softmax(jnp.asarray(logits[head], jnp.float32))
        of_head = _right_classes(labels[head], log_softmax.shape[1])
        right = (right[:, :, None] & of_head[:, None, :]).reshape(batch_size, -1)
        scores = (scores[:, :, None] + log_softmax[:, None, :]).reshape(batch_size, -1)
    return Mean.from_model_output(_is_among_top(scores, right, k), mask)


def _right_classes(labels: Any, num_classes: int) -> jax.Array:
    """Ids [B] or zeros and ones [B, C] -> which classes are correct, bool [B, C]."""
    labels = jnp.asarray(labels)
    return labels > 0 if labels.ndim == 2 else jax.nn.one_hot(labels, num_classes, dtype=bool)


def _is_among_top(scores: Any, labels: Any, k: int) -> jax.Array:
    num_classes = scores.shape[1]
    if k > num_classes:
        raise UserError(f"Top-{k} accuracy needs {k} classes or more; there are {num_classes}.")
    best = jax.lax.top_k(jnp.asarray(scores), k)[1]
    right = _right_classes(labels, num_classes)
    return jnp.take_along_axis(right, best, axis=1).any(axis=1)


@struct.dataclass
class CollectedScores(Metric):
    """Collects the scores and labels of all rows, for metrics that need them all at once.

    Fields are tuples of one array [B, C] (mask [B]) per batch. Merge on the host, outside `jit`.
    """

    scores: tuple[Any, ...]
    labels: tuple[Any, ...]
    mask: tuple[Any, ...]

    @classmethod
    def from_model_output(
        cls,
        scores: Num[AnyArray, "b c"],
        labels: Shaped[AnyArray, "b c"],
        mask: Shaped[AnyArray, "b"] | None = None,
        **_: Any,
    ):
        """`scores` are logits or probabilities, `labels` 0 or 1; several may be 1."""
        mask = jnp.ones(len(scores)) if mask is None else mask
        return cls(scores=(scores,), labels=(labels,), mask=(mask,))

    @classmethod
    def empty(cls):
        return cls(scores=(), labels=(), mask=())

    def merge(self, other: "CollectedScores"):
        return type(self)(
            scores=self.scores + other.scores,
            labels=self.labels + other.labels,
            mask=self.mask + other.mask,
        )

    def reduce(self):
        """Flattens a leading axis of micro-batches."""
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), self)

    def mean_over_classes(self, number: Callable[[np.ndarray, np.ndarray], float]) -> float:
        """Mean of `number(scores, is_positive)` over the classes for which it is not nan."""
        if not self.scores:
            return math.nan
        real = np.concatenate([np.asarray(x) for x in self.mask]) > 0
        scores = np.concatenate([np.asarray(x) for x in self.scores])[real]
        positive = np.concatenate([np.asarray(x) for x in self.labels])[real] > 0.5
        numbers = [number(s, p) for s, p in zip(scores.T, positive.T, strict=True)]
        numbers = [x for x in numbers if not math.isnan(x)]
        return sum(numbers) / len(numbers) if numbers else math.nan


@struct.dataclass
class MeanAveragePrecision(CollectedScores):
    """Mean over classes of the average precision; classes without a positive row do not count."""

    def compute(self) -> float:
        return self.mean_over_classes(average_precision)


@struct.dataclass
class MeanAUC(CollectedScores):
    """Mean over classes of the area under the receiver operating characteristic."""

    def compute(self) -> float:
        return self.mean_over_classes(area_under_curve)


@struct.dataclass
class DPrime(CollectedScores):
    """d' = sqrt(2) * probit(mean AUC), the distance between positive and negative scores in
    standard deviations.

    As in Gemmeke et al., Audio Set (2017).
    """

    def compute(self) -> float:
        area = self.mean_over_classes(area_under_curve)
        if not 0.0 < area < 1.0:
            return {0.0: -math.inf, 1.0: math.inf}.get(area, math.nan)
        return math.sqrt(2.0) * NormalDist().inv_cdf(area)


def average_precision(scores: Num[np.ndarray, "n"], positive: Shaped[np.ndarray, "n"]) -> float:
    """Sum over thresholds of precision times the gain in recall; nan without a positive."""
    true, false = _counts_by_threshold(scores, positive)
    if np.isnan(scores).any() or not len(true) or not true[-1]:
        return math.nan
    return float(np.sum(np.diff(true, prepend=0) * true / (true + false)) / true[-1])


def area_under_curve(scores: Num[np.ndarray, "n"], positive: Shaped[np.ndarray, "n"]) -> float:
    """The probability that a positive row scores above a negative one; nan if one kind is
    missing."""
    true, false = _counts_by_threshold(scores, positive)
    if np.isnan(scores).any() or not len(true) or not true[-1] or not false[-1]:
        return math.nan
    heights = (true + np.concatenate([[0], true[:-1]])) / 2
    return float(np.sum(np.diff(false, prepend=0) * heights) / (true[-1] * false[-1]))


def _counts_by_threshold(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of positive and negative rows at or above each distinct score, from the
    highest."""
    order = np.argsort(-scores, kind="stable")
    scores, positive = scores[order], positive[order]
    last_of_ties = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: len(scores)])
    true = np.cumsum(positive, dtype=np.float64)[last_of_ties]
    return true, last_of_ties + 1 - true


def merge(a: Mapping[str, Metric], b: Mapping[str, Metric]) -> dict[str, Metric]:
    """Merges metrics of two batches, which must have the same names."""
    if a.keys() != b.keys():
        raise UserError(f"Metrics {sorted(a)} cannot be merged with {sorted(b)}.")
    return {name: a[name].merge(b[name]) for name in a}


def compute(metrics: Mapping[str, Metric]) -> dict[str, float]:
    """The numbers, all read from the device at once."""
    return {name: float(metric.compute()) for name, metric in jax.device_get(metrics).items()}
