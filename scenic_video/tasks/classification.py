"""Classification with one head or several, one label or several, of one modality or several."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from scenic_video.config import check_fields
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


class Answers(NamedTuple):
    """Logits and targets of n answers to each example, head -> [n, B, C], and their presence.

    There is an answer for each modality where the model gives logits for each, and else one.
    Presence [n, B] is 0 where an example lacks what the answer is made from.
    """

    logits: ByHead
    targets: ByHead
    presence: jax.Array


@dataclasses.dataclass(frozen=True)
class Classification:
    """Trains `model`, inputs -> logits [B, sum of heads], on `batch["label"][head]`.

    A label is a class id [B], or a multi-hot [B, C] where `multilabel`. Without that a multi-hot
    says that any of its classes is right, and the loss aims at all alike. The loss is the mean of
    the heads' losses: "softmax" cross-entropy, or the sum over classes of "sigmoid" cross-
    entropies. `loss` names one; by default it is the sigmoid where `multilabel`, which takes no
    other, and the softmax elsewhere. For a sigmoid start the model's `head_bias_init` low.
    In evaluation every input is [B, V, ...]: the V views go through the model one after another,
    and their logits (or probabilities) are averaged.

    `transform` takes the inputs of a batch to what the model reads, augmenting them in training,
    and says under "presence" which examples lack a modality (see `Inputs`). Those without any, and
    views without any, do not count. A model may give {modality: logits} instead: the loss is then
    the mean of the losses of the modalities that an example has, and its logits are their mean.

    In training, examples are mixed as `mixing` says (see `mix_examples`); its `mixmod` is for
    models that give logits for each modality. One array of logits is held to the mean of the labels
    that the present modalities were mixed to. `modality_dropout` hides each of the modalities it
    names, at the rate it gives, from single examples, but never all that one has. In evaluation
    only `modalities` are shown, all by default: so one model is evaluated with audio alone,
    frames alone, and both.
    """

    model: Any
    heads: Mapping[str, int]
    transform: Callable[..., dict[str, Any]]
    multilabel: bool = False
    loss: str | None = None
    label_smoothing: ShareBelowOne = 0.0
    mixing: Mixing = Mixing()
    modality_dropout: Mapping[str, ShareBelowOne] = dataclasses.field(default_factory=dict)
    modalities: Names | None = None
    average_views: str = "logits"

    def __post_init__(self):
        check_fields(self)
        if not self.heads:
            raise UserError(
                "Classification needs labels, and the dataset has none. Give it some, or choose a "
                "task that learns without them, such as MaskedReconstruction."
            )
        known = ("sigmoid",) if self.multilabel else ("softmax", "sigmoid")
        if self.loss not in (None, *known):
            raise UserError(
                f"loss is {self.loss!r}, not one of {known}, which are for "
                f"{'many labels' if self.multilabel else 'one label'} an example."
            )
        if self.average_views not in ("logits", "probabilities"):
            raise UserError(
                f"average_views must be 'logits' or 'probabilities'; got {self.average_views!r}."
            )

    def init(self, rng: jax.Array, batch: Batch) -> Variables:
        inputs = Inputs.of(self.transform(batch["inputs"], rng=rng, train=False))
        return init_model(self.model, inputs, {"params": rng, "dropout": rng})

    def __call__(
        self, variables: Variables, batch: Batch, *, rng: jax.Array, train: bool
    ) -> Output:
        targets = {head: self._target(head, batch["label"][head]) for head in self.heads}
        if train:
            answers, model_state = self._answers_in_training(variables, batch, targets, rng)
        else:
            answers, model_state = self._answer_of_views(variables, batch, targets, rng), {}
        losses = {head: self._loss(answers, head) for head in self.heads}
        loss = jnp.stack(list(losses.values())).mean(axis=0)
        logits = {h: mean_over_present(x, answers.presence) for h, x in answers.logits.items()}
        targets = {h: mean_over_present(x, answers.presence) for h, x in answers.targets.items()}
        mask = batch["mask"] * answers.presence.max(axis=0)
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
        """What the model sows as "features", by the transform of evaluation, the mean of views."""

        def one_view(view):
            inputs = self._shown(view, jax.random.key(0))
            _, state = self.model.apply(
                variables, **inputs.keywords, train=False, mutable=["intermediates"]
            )
            return self._sown(state), inputs.any_present

        return mean_over_present(*over_views(one_view, batch["inputs"]))

    def _answers_in_training(
        self, variables: Variables, batch: Batch, targets: ByHead, rng: jax.Array
    ) -> tuple[Answers, Variables]:
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

    def _paired(self, logits: Any, targets_of: Mapping[str, ByHead], inputs: Inputs) -> Answers:
        """Logits, for each modality or for all of them, with the targets they are held to."""
        presence = inputs.all_presence
        if isinstance(logits, Mapping):
            check_names(logits, inputs, model=self.model)
            names = list(logits)
            heads = _stacked([self._split(logits[name], inputs) for name in names])
            shown = jnp.stack([presence[name] for name in names])
            return Answers(heads, _stacked([targets_of[name] for name in names]), shown)
        if self.mixing.mixmod:
            raise UserError(
                "mixmod gives every modality labels of its own, so the model must return "
                "{modality: logits} in training, but it returned one array. Take a classifier that "
                "does, such as MBT's 'token', or set mixmod=False."
            )
        shown = jnp.stack([presence[name] for name in targets_of])
        stacked = _stacked(list(targets_of.values()))
        targets = {head: mean_over_present(x, shown)[None] for head, x in stacked.items()}
        heads = {head: x[None] for head, x in self._split(logits, inputs).items()}
        return Answers(heads, targets, inputs.any_present[None])

    def _answer_of_views(
        self, variables: Variables, batch: Batch, targets: ByHead, rng: jax.Array
    ) -> Answers:
        def one_view(view):
            inputs = self._shown(view, rng)
            logits = self.model.apply(variables, **inputs.keywords, train=False)
            if isinstance(logits, Mapping):
                check_names(logits, inputs, model=self.model)
                presence = jnp.stack([inputs.all_presence[name] for name in logits])
                logits = mean_over_present(jnp.stack(list(logits.values())), presence)
            return self._split(logits, inputs), inputs.any_present

        logits, presence = over_views(one_view, batch["inputs"])
        logits = {head: self._average(x, presence)[None] for head, x in logits.items()}
        return Answers(
            logits, {head: x[None] for head, x in targets.items()}, presence.max(axis=0)[None]
        )

    def _shown(self, view: Mapping[str, Any], rng: jax.Array) -> Inputs:
        return Inputs.of(self.transform(view, rng=rng, train=False)).only(self.modalities)

    def _average(self, logits: jax.Array, presence: jax.Array) -> jax.Array:
        """Logits [V, B, C] -> [B, C], over the views that hold something."""
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

    def _loss(self, answers: Answers, head: str) -> jax.Array:
        """The loss [B] of a head: the mean over the answers of each example."""
        logits, target = answers.logits[head], answers.targets[head]
        if self.multilabel or self.loss == "sigmoid":
            losses = optax.sigmoid_binary_cross_entropy(logits, target).sum(axis=-1)
        else:
            losses = optax.softmax_cross_entropy(logits, target)
        return mean_over_present(losses, answers.presence)

    def _sown(self, state: Variables) -> jax.Array:
        try:
            return state["intermediates"]["features"][0].astype(jnp.float32)
        except KeyError as error:
            raise UserError(
                f"{type(self.model).__name__} sows no features. Let it call self.sow("
                "'intermediates', 'features', x) with x [B, D] before its last layer."
            ) from error


def _stacked(trees: Sequence[ByHead]) -> ByHead:
    return jax.tree.map(lambda *arrays: jnp.stack(arrays), *trees)
