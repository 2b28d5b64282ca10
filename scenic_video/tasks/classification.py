"""Classification with one head or several, one label or several."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scenic_video import metrics
from scenic_video.data.mixup import mixup
from scenic_video.tasks.task import Batch, Output, Variables

Logits = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class Classification:
    """Trains `model`, inputs -> logits [B, sum of heads], on `batch["label"][head]`.

    A label is a class id [B], or a multi-hot [B, C] where `multilabel`. The loss is the mean of
    the heads' losses: softmax cross-entropy, or the sum over classes of sigmoid cross-entropies.
    In evaluation every input is [B, V, ...]: the V views go through the model one after another,
    and their logits (or probabilities) are averaged.

    `transform` takes uint8 inputs to what the model reads, augmenting them in training.
    """

    model: Any
    heads: Mapping[str, int]
    transform: Callable[..., dict[str, jax.Array]]
    multilabel: bool = False
    label_smoothing: float | int = 0.0
    mixup_alpha: float | int = 0.0
    average_views: str = "logits"

    def __post_init__(self):
        if not 0.0 <= self.label_smoothing < 1.0:
            raise ValueError(f"label_smoothing must lie in [0, 1); got {self.label_smoothing}.")
        if self.mixup_alpha < 0.0:
            raise ValueError(f"mixup_alpha must be 0 (off) or more; got {self.mixup_alpha}.")
        if self.average_views not in ("logits", "probabilities"):
            raise ValueError(
                f"average_views must be 'logits' or 'probabilities'; got {self.average_views!r}."
            )

    def init(self, rng: jax.Array, batch: Batch) -> Variables:
        inputs = self.transform(batch["inputs"], rng=rng, train=False)
        return self.model.init({"params": rng, "dropout": rng}, **inputs, train=False)

    def __call__(
        self, variables: Variables, batch: Batch, *, rng: jax.Array, train: bool
    ) -> Output:
        targets = {head: self._target(head, batch["label"][head]) for head in self.heads}
        if train:
            logits, targets, model_state = self._train_logits(variables, batch, targets, rng)
        else:
            logits, model_state = self._view_logits(variables, batch["inputs"], rng), {}
        losses = {head: self._loss(logits[head], targets[head]) for head in self.heads}
        loss = jnp.stack(list(losses.values())).mean(axis=0)
        mask = batch["mask"]
        weight = jnp.sum(mask)
        return Output(
            loss=jnp.sum(jnp.where(mask > 0, loss * mask, 0.0)) / jnp.maximum(weight, 1e-8),
            weight=weight,
            metrics=self._metrics(logits, targets, loss, losses, mask, train=train),
            model_state=model_state,
            predictions=logits,
        )

    def _train_logits(self, variables: Variables, batch: Batch, targets, rng: jax.Array):
        transform_rng, mixup_rng, dropout_rng = jax.random.split(rng, 3)
        inputs = self.transform(batch["inputs"], rng=transform_rng, train=True)
        if self.mixup_alpha:
            inputs, targets = mixup(
                mixup_rng, (inputs, targets), self.mixup_alpha, mask=batch["mask"]
            )
        targets = jax.tree.map(lambda t: optax.smooth_labels(t, self.label_smoothing), targets)
        collections = [name for name in variables if name != "params"]
        logits, model_state = self.model.apply(
            variables, **inputs, train=True, rngs={"dropout": dropout_rng}, mutable=collections
        )
        return self._split(logits), targets, model_state

    def _view_logits(self, variables: Variables, inputs: Mapping[str, jax.Array], rng) -> Logits:
        def one_view(view):
            view = self.transform(view, rng=rng, train=False)
            return self._split(self.model.apply(variables, **view, train=False))

        if jax.tree.leaves(inputs)[0].shape[1] == 1:
            return one_view(jax.tree.map(lambda x: x[:, 0], inputs))
        views = jax.lax.map(one_view, jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0), inputs))
        return jax.tree.map(self._average, views)

    def _average(self, logits: jax.Array) -> jax.Array:
        """Logits [V, B, C] -> [B, C]."""
        if self.average_views == "logits":
            return logits.mean(axis=0)
        if not self.multilabel:
            log_probabilities = jax.nn.log_softmax(logits)
            return jax.nn.logsumexp(log_probabilities, axis=0) - np.log(len(logits))
        log_yes = jax.nn.logsumexp(jax.nn.log_sigmoid(logits), axis=0)
        log_no = jax.nn.logsumexp(jax.nn.log_sigmoid(-logits), axis=0)
        return log_yes - log_no

    def _target(self, head: str, label: jax.Array) -> jax.Array:
        return label if self.multilabel else jax.nn.one_hot(label, self.heads[head])

    def _split(self, logits: jax.Array) -> Logits:
        sizes = list(self.heads.values())
        if logits.shape[-1] != sum(sizes):
            raise ValueError(
                f"The model gives {logits.shape[-1]} logits, but the heads {dict(self.heads)} need "
                f"{sum(sizes)}. Set model.num_classes to their sum, or leave it out of the config."
            )
        parts = jnp.split(logits.astype(jnp.float32), np.cumsum(sizes)[:-1], axis=-1)
        return dict(zip(self.heads, parts, strict=True))

    def _loss(self, logits: jax.Array, target: jax.Array) -> jax.Array:
        if self.multilabel:
            return optax.sigmoid_binary_cross_entropy(logits, target).sum(axis=-1)
        return optax.softmax_cross_entropy(logits, target)

    def _metrics(
        self,
        logits: Logits,
        targets: Logits,
        loss: jax.Array,
        losses: Logits,
        mask: jax.Array,
        *,
        train: bool,
    ) -> dict[str, metrics.Metric]:
        several = len(self.heads) > 1
        out: dict[str, metrics.Metric] = {"loss": metrics.Mean.from_model_output(loss, mask)}
        if several:
            for head in self.heads:
                out[f"{head}_loss"] = metrics.Mean.from_model_output(losses[head], mask)
        if self.multilabel:
            return out if train else out | self._ranking_metrics(logits, targets, mask)
        labels = {head: target.argmax(axis=-1) for head, target in targets.items()}
        return out | self._accuracies(logits, labels, mask)

    def _accuracies(self, logits: Logits, labels: Logits, mask: jax.Array):
        """Top-1 and top-5: of the combination of all heads, and of each where there are several."""
        out: dict[str, metrics.Metric] = {}
        for k in (1, 5):
            if math.prod(self.heads.values()) > k:
                out[f"top{k}"] = metrics.joint_accuracy(logits, labels, mask, k=k)
            for head, num_classes in self.heads.items():
                if len(self.heads) > 1 and num_classes > k:
                    top_k = metrics.accuracy(logits[head], labels[head], mask, k=k)
                    out[f"{head}_top{k}"] = top_k
        return out

    def _ranking_metrics(self, logits: Logits, targets: Logits, mask: jax.Array):
        """Mean average precision, AUC and d' over all classes, and mAP of each of several heads."""
        scores = jnp.concatenate(list(logits.values()), axis=-1)
        labels = jnp.concatenate([targets[head] for head in logits], axis=-1)
        out: dict[str, metrics.Metric] = {
            "map": metrics.MeanAveragePrecision.from_model_output(scores, labels, mask),
            "auc": metrics.MeanAUC.from_model_output(scores, labels, mask),
            "d_prime": metrics.DPrime.from_model_output(scores, labels, mask),
        }
        if len(self.heads) > 1:
            for head in self.heads:
                out[f"{head}_map"] = metrics.MeanAveragePrecision.from_model_output(
                    logits[head], targets[head], mask
                )
        return out
