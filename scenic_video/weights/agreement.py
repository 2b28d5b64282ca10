"""Whether two checkpoints are the same model: outputs on the same random inputs."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from scenic_video.errors import UserError
from scenic_video.weights.built_model import build_model
from scenic_video.weights.families.family import Weights
from scenic_video.weights.families.names import Leaves
from scenic_video.weights.stated_fields import differences


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Differences between the outputs of two models.

    `largest` is that between single logits (or features), `divergence` the mean KL divergence of
    the first model's probabilities from the second's, in nats, and `same_top` the share of inputs
    with the same best class; both are None for features. `differences` are sentences on what the
    checkpoints state differently, and parameters that are not equal.
    """

    outputs: str
    largest: float
    divergence: float | None
    same_top: float | None
    scale: float
    differences: tuple[str, ...]

    def rows(self) -> list[tuple[str, Any]]:
        rows: list[tuple[str, Any]] = [
            ("max. absolute difference", self.largest),
            (f"largest of the {self.outputs}", self.scale),
        ]
        if self.divergence is not None:
            rows += [("KL divergence (nats)", self.divergence), ("same top-1", self.same_top)]
        return rows


def compare(
    first: Weights,
    second: Weights,
    *,
    names: tuple[str, str],
    num_inputs: int = 2,
    seed: int = 0,
    done: Callable[[int, int], None] = lambda done, total: None,
) -> Agreement:
    """Both models on the same `num_inputs` random inputs; `done` is called with the number of
    models that ran, and that of all.

    Where one checkpoint does not state the size of its inputs, that of the other is used. Errors:
    UserError if a model cannot be built, or if inputs, or the numbers of classes, differ.
    """
    models = [
        build_model(weights, name=name, inputs=other.inputs)
        for weights, name, other in zip((first, second), names, (second, first), strict=True)
    ]
    sizes = [{name: tuple(size) for name, size in model.inputs.items()} for model in models]
    if sizes[0] != sizes[1]:
        raise UserError(
            f"{names[0]} takes inputs of {sizes[0]} and {names[1]} of {sizes[1]}, so that their "
            "outputs cannot be compared."
        )
    inputs = models[0].random_inputs(num_inputs, seed=seed)
    outputs = []
    for model in models:
        outputs.append(model(inputs))
        done(len(outputs), len(models))
    if outputs[0].shape != outputs[1].shape:
        kinds = ["classes" if model.has_head else "features (no head)" for model in models]
        raise UserError(
            f"{names[0]} has {outputs[0].shape[-1]} {kinds[0]} and {names[1]} "
            f"{outputs[1].shape[-1]} {kinds[1]}."
        )
    differences = _stated_differently(first, second) + _unequal(first.params, second.params)
    return agreement(*outputs, is_logits=models[0].has_head, differences=differences)


def agreement(
    first: Float[np.ndarray, "b c"],
    second: Float[np.ndarray, "b c"],
    *,
    is_logits: bool,
    differences: tuple[str, ...] = (),
) -> Agreement:
    """How two outputs of the same inputs differ."""
    log_p, log_q = (log_softmax(x.astype(np.float64)) for x in (first, second))
    divergence = float(np.sum(np.exp(log_p) * (log_p - log_q), axis=-1).mean())
    same_top = float(np.mean(first.argmax(-1) == second.argmax(-1)))
    return Agreement(
        outputs="logits" if is_logits else "features",
        largest=float(np.abs(first - second).max()),
        divergence=divergence if is_logits else None,
        same_top=same_top if is_logits else None,
        scale=float(np.abs(first).max()),
        differences=differences,
    )


def log_softmax(logits: Float[np.ndarray, "b c"]) -> Float[np.ndarray, "b c"]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _stated_differently(first: Weights, second: Weights) -> tuple[str, ...]:
    """Fields of model and preprocessing that both state with different values."""
    found = []
    for part in ("model", "preprocessing"):
        stated = differences(getattr(first, part) or {}, getattr(second, part) or {})
        found += [
            f"{part}.{name} is {old!r} in the first and {new!r} in the second"
            for name, old, new in stated
        ]
    if first.labels and second.labels and dict(first.labels) != dict(second.labels):
        found.append("the class names differ")
    return tuple(found)


def _unequal(first: Leaves, second: Leaves) -> tuple[str, ...]:
    """The parameters whose values differ most, in one sentence; nothing if all are equal."""
    found = {
        path: float(np.abs(np.asarray(x, np.float32) - np.asarray(second[path], np.float32)).max())
        for path, x in first.items()
        if path in second and x.shape == second[path].shape and x.size
    }
    unequal = {path: x for path, x in found.items() if x != 0}
    if not unequal:
        return ()
    worst = max(unequal, key=lambda path: unequal[path])
    return (
        f"{len(unequal)} of {len(found)} parameters differ, {worst} the most, by "
        f"{unequal[worst]:.3g}",
    )
