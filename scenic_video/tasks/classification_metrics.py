"""Metrics of classification: losses, accuracies for one label, ranking metrics for several."""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from scenic_video import metrics

ByHead = Mapping[str, jax.Array]
Metrics = dict[str, metrics.Metric]


def losses(loss: jax.Array, by_head: ByHead, mask: jax.Array) -> Metrics:
    """The mean loss over examples and, if there are several heads, the mean loss of each head."""
    out: Metrics = {"loss": metrics.Mean.from_model_output(loss, mask)}
    if len(by_head) > 1:
        for head, head_loss in by_head.items():
            out[f"{head}_loss"] = metrics.Mean.from_model_output(head_loss, mask)
    return out


def accuracies(logits: ByHead, targets: ByHead, mask: jax.Array) -> Metrics:
    """Top-1 and top-5 of the combination of all heads, and of each head if there are several.

    The class with the highest target is correct, or any class if several are equally high.
    """
    labels = {h: (t == t.max(axis=-1, keepdims=True)) & (t > 0) for h, t in targets.items()}
    num_classes = {head: target.shape[-1] for head, target in targets.items()}
    out: Metrics = {}
    for k in (1, 5):
        if math.prod(num_classes.values()) > k:
            out[f"top{k}"] = metrics.joint_accuracy(logits, labels, mask, k=k)
        for head in logits:
            if len(logits) > 1 and num_classes[head] > k:
                top_k = metrics.accuracy(logits[head], labels[head], mask, k=k)
                out[f"{head}_top{k}"] = top_k
    return out


def rankings(logits: ByHead, targets: ByHead, mask: jax.Array) -> Metrics:
    """Mean average precision, AUC and d' over all classes; mAP of each head if there are more."""
    scores = jnp.concatenate(list(logits.values()), axis=-1)
    labels = jnp.concatenate([targets[head] for head in logits], axis=-1)
    out: Metrics = {
        "map": metrics.MeanAveragePrecision.from_model_output(scores, labels, mask),
        "auc": metrics.MeanAUC.from_model_output(scores, labels, mask),
        "d_prime": metrics.DPrime.from_model_output(scores, labels, mask),
    }
    if len(logits) > 1:
        for head in logits:
            out[f"{head}_map"] = metrics.MeanAveragePrecision.from_model_output(
                logits[head], targets[head], mask
            )
    return out
