"""Classification, with one or several heads, labels and modalities."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from scenic_video.config import check_fields, require
from scenic_video.errors import UserError
from scenic_video.field_types import Names, ShareBelowOne
from scenic_video.layers.presence import log_mean_over_present, mean_over_present
from scenic_video.tasks import classification_metrics
from scenic_video.tasks.calls import call_in_training, init_model, over_views
from scenic_video.tasks.logits import check_names, split_logits
from scenic_video.tasks.mixup import Mixing, mix_examples
from scenic_video.tasks.presence import Inputs
from scenic_video.tasks.task import Batch, Output, Variables

ByHead = dict[str, jax.Array]


class Predictions(NamedTuple):
    """Logits and targets of n predictions per example, head -> [n, B, C], and their presence.

    There is one prediction per modality if the model returns logits for each modality, else one.
    Presence [n, B] is 0 where an example lacks the modalities of the prediction.
    """

    logits: ByHead
    targets: ByHead
    presence: jax.Array


@dataclasses.dataclass(frozen=True)
class Classification:
    """Trains `model`, inputs -> logits [B, sum of heads], on `batch["label"][head]`.

    A label is a class id [B], or with `multilabel` a multi-hot vector [B, C]. Without `multilabel`,
    any class of a multi-hot label counts as correct, and the target is uniform over these classes.
    The loss is the mean over heads of the "softmax" cross-entropy, or of the "sigmoid"
    cross-entropies summed over classes. `loss` is the name of one; the default is "sigmoid" with
    `multilabel`, which allows no other, and "softmax" without. With "sigmoid", set a low
    `head_bias_init` in the model. In evaluation every input is [B, V, ...]: the model is applied to
    one of the V views at a time, and their logits (or probabilities) are averaged.

    `transform` turns the inputs of a batch into the inputs of the model, with augmentation in
    training, and returns as "presence" which examples have each modality (see `Inputs`). Examples
    and views without any modality do not count. If a model returns {modality: logits}, both the
    loss and the logits of an example are means over the modalities that it has.

    In training, examples are mixed by `mixing` (see `mix_examples`); its `mixmod` is for models
    that return logits for each modality. For a single array of logits, the target is the mean of
    the mixed labels of the present modalities. `modality_dropout`, {modality: rate}, removes
    modalities from examples at random; an example that would lose all keeps all. In evaluation the
    model gets only `modalities`, by default all, so that one model can be evaluated on audio alone,
    on frames alone, and on both.
    """

    model: Any
    heads: Mapping[str, int]
    transform: Callable[..., dict[str, Any]]
    multilabel: bool = False
    loss: Literal["softmax", "sigmoid"] | None = None
    label_smoothing: ShareBelowOne = 0.0
    mixing: Mixing = Mixing()
    modality_dropout: Mapping[str, ShareBelowOne] = dataclasses.field(default_factory=dict)
    modalities: Names | None = None
    average_views: Literal["logits", "probabilities"] = "logits"

    def __post_init__(self):
        check_fields(self)
        if not self.heads:
            raise UserError(
                "Classification needs labels, but the dataset has none. Add labels, or choose "
                "a task that does not need them, such as MaskedReconstruction."
            )
        fits = not (self.multilabel and self.loss == "softmax")
        require({"the loss 'sigmoid' for several labels per example": fits}, of=self)

    def init(self, rng: jax.Array, batch: Batch) -> Variables:
        inputs = Inputs.of(self.transform(batch["inputs"], rng=rng, train=False))
        return init_model(self.model, inputs, {"params": rng, "dropout": rng})

    def __call__(
        self, variables: Variables, batch: Batch, *, rng: jax.Array, train: bool
    ) -> Output:
        targets = {head: self._target(head, batch["label"][head]) for head in self.heads}
        if train:
            predictions, model_state = self._predict_in_training(variables, batch, targets, rng)
        else:
            predictions, model_state = self._predict_views(variables, batch, targets, rng), {}
        losses = {head: self._loss(predictions, head) for head in self.heads}
        loss = jnp.stack(list(losses.values())).mean(axis=0)
        presence = predictions.presence
        logits = {h: mean_over_present(x, presence) for h, x in predictions.logits.items()}
        targets = {h: mean_over_present(x, presence) for h, x in predictions.targets.items()}
        mask = batch["mask"] * presence.max(axis=0)
        weight = jnp.sum(mask)
        metrics = classification_metrics.losses(loss, losses, mask)
        if not self.multilabel:
            metrics |= classification_metrics.accuracies(logits, targets, mask)
        elif not train:
            metrics |= classification_metrics.rankings(logits, targets, mask)
        return Output(
            loss=jnp.sum(jnp.where(mask > 0, loss * mask, 0.0)) / jnp.maximum(weight, 1e-8),
            weight=weight,
            metrics=metrics,
            model_state=model_state,
            predictions=logits,
        )

    def features(self, variables: Variables, batch: Batch) -> Float[Array, "b d"]:
        """What the model sows as "features", averaged over the views of evaluation."""

        def one_view(view):
            inputs = self._evaluation_inputs(view, jax.random.key(0))
            _, state = self.model.apply(
                variables, **inputs.keywords, train=False, mutable=["intermediates"]
            )
            return self._sown(state), inputs.any_present

        return mean_over_present(*over_views(one_view, batch["inputs"]))

    def _predict_in_training(
        self, variables: Variables, batch: Batch, targets: ByHead, rng: jax.Array
    ) -> tuple[Predictions, Variables]:
        transform_rng, mixup_rng, dropout_rng, modality_rng = jax.random.split(rng, 4)
        inputs = Inputs.of(self.transform(batch["inputs"], rng=transform_rng, train=True))
        targets_of = dict.fromkeys(inputs.arrays, targets)
        if self.mixing.is_on:
            presence = {name: x * batch["mask"] for name, x in inputs.all_presence.items()}
            mixed, targets_of = mix_examples(
                mixup_rng, inputs.arrays, targets, self.mixing, presence=presence
            )
            inputs = dataclasses.replace(inputs, arrays=mixed)
        inputs = inputs.drop(modality_rng, self.modality_dropout)
        logits, model_state = call_in_training(
            self.model, variables, inputs, {"dropout": dropout_rng}
        )
        targets_of = jax.tree.map(
            lambda t: optax.smooth_labels(t, self.label_smoothing), targets_of
        )
        return self._paired(logits, targets_of, inputs), model_state

    def _paired(self, logits: Any, targets_of: Mapping[str, ByHead], inputs: Inputs) -> Predictions:
        """Logits, per modality or for all modalities together, and their targets."""
        presence = inputs.all_presence
        if isinstance(logits, Mapping):
            check_names(logits, inputs, model=self.model)
            names = list(logits)
            heads = _stacked([self._split(logits[name], inputs) for name in names])
            shown = jnp.stack([presence[name] for name in names])
            return Predictions(heads, _stacked([targets_of[name] for name in names]), shown)
        if self.mixing.mixmod:
            raise UserError(
                "mixmod gives every modality labels of its own, so the model must return "
                "{modality: logits} in training, but it returned one array. Use a classifier that "
                "does so, such as MBT's 'token', or set mixmod=False."
            )
        shown = jnp.stack([presence[name] for name in targets_of])
        stacked = _stacked(list(targets_of.values()))
        targets = {head: mean_over_present(x, shown)[None] for head, x in stacked.items()}
        heads = {head: x[None] for head, x in self._split(logits, inputs).items()}
        return Predictions(heads, targets, inputs.any_present[None])

    def _predict_views(
        self, variables: Variables, batch: Batch, targets: ByHead, rng: jax.Array
    ) -> Predictions:
        def one_view(view):
            inputs = self._evaluation_inputs(view, rng)
            logits = self.model.apply(variables, **inputs.keywords, train=False)
            if isinstance(logits, Mapping):
                check_names(logits, inputs, model=self.model)
                presence = jnp.stack([inputs.all_presence[name] for name in logits])
                logits = mean_over_present(jnp.stack(list(logits.values())), presence)
            return self._split(logits, inputs), inputs.any_present

        logits, presence = over_views(one_view, batch["inputs"])
        logits = {head: self._average(x, presence)[None] for head, x in logits.items()}
        return Predictions(
            logits, {head: x[None] for head, x in targets.items()}, presence.max(axis=0)[None]
        )

    def _evaluation_inputs(self, view: Mapping[str, Any], rng: jax.Array) -> Inputs:
        return Inputs.of(self.transform(view, rng=rng, train=False)).only(self.modalities)

    def _average(self, logits: jax.Array, presence: jax.Array) -> jax.Array:
        """Logits [V, B, C] -> [B, C], averaged over the views that have some modality."""
        if self.average_views == "logits" or len(logits) == 1:
            return mean_over_present(logits, presence)
        if not self.multilabel:
            return log_mean_over_present(jax.nn.log_softmax(logits), presence)
        log_yes = log_mean_over_present(jax.nn.log_sigmoid(logits), presence)
        return log_yes - log_mean_over_present(jax.nn.log_sigmoid(-logits), presence)

    def _target(self, head: str, label: jax.Array) -> jax.Array:
        if self.multilabel:
            return label
        if label.ndim == 1:
            return jax.nn.one_hot(label, self.heads[head])
        return label / jnp.maximum(label.sum(axis=-1, keepdims=True), 1)

    def _split(self, logits: Any, inputs: Inputs) -> ByHead:
        batch = len(inputs.any_present)
        return split_logits(logits, self.heads, model=self.model, batch=batch)

    def _loss(self, predictions: Predictions, head: str) -> jax.Array:
        """The loss [B] of a head: the mean over the predictions of each example."""
        logits, target = predictions.logits[head], predictions.targets[head]
        if self.multilabel or self.loss == "sigmoid":
            losses = optax.sigmoid_binary_cross_entropy(logits, target).sum(axis=-1)
        else:
            losses = optax.softmax_cross_entropy(logits, target)
        return mean_over_present(losses, predictions.presence)

    def _sown(self, state: Variables) -> jax.Array:
        try:
            return state["intermediates"]["features"][0].astype(jnp.float32)
        except KeyError as error:
            raise UserError(
                f"{type(self.model).__name__} sows no features. Call self.sow('intermediates', "
                "'features', x) in it, with x [B, D], before its last layer."
            ) from error


def _stacked(trees: Sequence[ByHead]) -> ByHead:
    return jax.tree.map(lambda *arrays: jnp.stack(arrays), *trees)
