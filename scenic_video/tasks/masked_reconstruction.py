"""Masked reconstruction: trains a model to predict the hidden tokens of each modality."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scenic_video import metrics
from scenic_video.config import check_fields, require
from scenic_video.errors import UserError
from scenic_video.field_types import NonNegative
from scenic_video.layers.masking import Reconstruction
from scenic_video.layers.presence import mean_over_present
from scenic_video.tasks.calls import call_in_training, init_model, over_views
from scenic_video.tasks.presence import Inputs
from scenic_video.tasks.task import Batch, Output, Variables

ByModality = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class MaskedReconstruction:
    """Trains `model`, inputs -> {modality: Reconstruction}, to predict hidden tokens.

    The error of an example in a modality is the squared difference, averaged over its scored tokens
    and summed over the values of a patch (or averaged, if `normalize_by_output_dimension`). The
    loss is the sum over modalities of weight times mean error. The default `weights` are equal and
    sum to 1 (Georgescu et al., Audiovisual Masked Autoencoders, ICCV 2023, section 3: 0.5 each).
    `score_visible` also scores the visible tokens, for models that decode them.

    An example is not scored on a modality that it lacks, and its weight is reduced by that
    modality's share of `weights`. `Output.weight` is the sum of these weights (the number of
    examples if none lacks anything), and the loss is a mean over it. Each term depends on a single
    example, so micro-batches add up exactly. Since models hide the same number of tokens in every
    example, a mean over examples is also the mean over all scored tokens.

    In evaluation, with inputs [B, V, ...], masks are sampled with one fixed key, whatever the seed
    of the run, and errors are averaged over the views.
    """

    model: Any
    transform: Callable[..., dict[str, Any]]
    weights: Mapping[str, NonNegative] | None = None
    normalize_by_output_dimension: bool = True
    score_visible: bool = False

    def __post_init__(self):
        check_fields(self)
        some = not self.weights or any(self.weights.values())
        require({"at least one of the weights above 0": some}, of=self)

    def init(self, rng: jax.Array, batch: Batch) -> Variables:
        inputs = Inputs.of(self.transform(batch["inputs"], rng=rng, train=False))
        rngs = {"params": rng, "mask": rng, "dropout": rng}
        return init_model(self.model, inputs, rngs)

    def __call__(
        self, variables: Variables, batch: Batch, *, rng: jax.Array, train: bool
    ) -> Output:
        if train:
            errors, scored, model_state = self._errors_in_training(variables, batch, rng)
        else:
            errors, scored = self._errors_of_views(variables, batch)
            model_state = {}
        scored = {name: x * batch["mask"] for name, x in scored.items()}
        loss, weight = self._loss(errors, scored)
        means = {
            f"{name}_loss": metrics.Mean.from_model_output(x, scored[name])
            for name, x in errors.items()
        }
        return Output(
            loss=loss,
            weight=weight,
            metrics={"loss": metrics.scalar(loss, weight), **means},
            model_state=model_state,
            predictions={},
        )

    def features(self, variables: Variables, batch: Batch) -> Float[Array, "b d"]:
        """The mean of the encoded tokens of a modality, averaged over present modalities and views.

        No token is hidden.
        """

        def one_view(view):
            inputs = self._evaluation_inputs(view)
            tokens = self.model.apply(variables, **inputs.keywords, train=False, encode_only=True)
            means = jnp.stack([x.astype(jnp.float32).mean(axis=1) for x in tokens.values()])
            presence = jnp.stack([inputs.all_presence[name] for name in tokens])
            return mean_over_present(means, presence), inputs.any_present

        return mean_over_present(*over_views(one_view, batch["inputs"]))

    def _errors_in_training(
        self, variables: Variables, batch: Batch, rng: jax.Array
    ) -> tuple[ByModality, ByModality, Variables]:
        transform_rng, mask_rng, dropout_rng = jax.random.split(rng, 3)
        inputs = Inputs.of(self.transform(batch["inputs"], rng=transform_rng, train=True))
        rngs = {"mask": mask_rng, "dropout": dropout_rng}
        outputs, model_state = call_in_training(self.model, variables, inputs, rngs)
        return *self._errors(outputs, inputs), model_state

    def _errors_of_views(self, variables: Variables, batch: Batch) -> tuple[ByModality, ByModality]:
        def one_view(view):
            inputs = self._evaluation_inputs(view)
            rngs = {"mask": jax.random.key(0)}
            outputs = self.model.apply(variables, **inputs.keywords, train=False, rngs=rngs)
            return self._errors(outputs, inputs)

        errors, scored = over_views(one_view, batch["inputs"])
        errors = {name: mean_over_present(x, scored[name]) for name, x in errors.items()}
        return errors, {name: x.max(axis=0) for name, x in scored.items()}

    def _evaluation_inputs(self, view: Mapping[str, Any]) -> Inputs:
        return Inputs.of(self.transform(view, rng=jax.random.key(0), train=False))

    def _errors(self, outputs: Any, inputs: Inputs) -> tuple[ByModality, ByModality]:
        """For each modality, the errors of examples [B], and 1 for each that is scored [B]."""
        self._check(outputs)
        errors, scored = {}, {}
        for name, output in outputs.items():
            scored[name] = inputs.all_presence[name] * output.mask.max(axis=1)
            mask = jnp.ones_like(output.mask) if self.score_visible else output.mask
            mask = mask * scored[name][:, None]
            difference = output.prediction.astype(jnp.float32) - output.target
            squares = jnp.square(jnp.where(mask[..., None] > 0, difference, 0.0))
            error = squares.mean(-1) if self.normalize_by_output_dimension else squares.sum(-1)
            errors[name] = error.sum(axis=1) / jnp.maximum(mask.sum(axis=1), 1.0)
        return errors, scored

    def _check(self, outputs: Any) -> None:
        found = list(outputs.values()) if isinstance(outputs, Mapping) else [outputs]
        if not all(isinstance(output, Reconstruction) for output in found):
            raise UserError(
                f"{type(self.model).__name__} returned no reconstruction, but MaskedReconstruction "
                "needs a model that returns {modality: Reconstruction}, such as those of "
                "projects.avmae.pretraining.model. Set another model, or another task."
            )

    def _loss(self, errors: ByModality, scored: ByModality) -> tuple[jax.Array, jax.Array]:
        """The loss, and the total weight that it is a mean over."""
        weights = self._weights(tuple(errors))
        total = weight = jnp.zeros(())
        for name, error in errors.items():
            counted = jnp.where(scored[name] > 0, error * scored[name], 0.0)
            total += weights[name] * counted.sum()
            weight += weights[name] / sum(weights.values()) * scored[name].sum()
        return total / jnp.maximum(weight, 1e-8), weight

    def _weights(self, modalities: tuple[str, ...]) -> Mapping[str, float | int]:
        if self.weights is None:
            return dict.fromkeys(modalities, 1 / len(modalities))
        if set(self.weights) != set(modalities):
            raise UserError(
                f"weights are for {', '.join(self.weights)}, but the model predicts "
                f"{', '.join(modalities)}. Give each of these a weight, or leave weights out."
            )
        return self.weights
