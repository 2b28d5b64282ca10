"""Optimizers, each of which is one optax chain.

The chain: clip by the global norm -> direction (momentum, Adam, or any other of optax) with weight
decay -> learning rate -> layer-wise rates. It is applied only to the parameters that are trained;
`trainer.freeze` names those that are not.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import optax
from annotated_types import Len

from scenic_video.config import check_arguments
from scenic_video.errors import UserError
from scenic_video.field_types import NonNegative, Positive, PositiveShare, ShareBelowOne
from scenic_video.optimizers.layer_decay import LayerDecay, LayersAfter
from scenic_video.optimizers.schedules import Rate
from scenic_video.optimizers.weight_decay import WeightDecay

Betas = Annotated[Sequence[ShareBelowOne], Len(2, 2)]

NEUTRAL = {"learning_rate": 1.0, "weight_decay": 0.0}
"""With these values, the update of an optimizer is its direction alone."""


@check_arguments
def chain(
    *,
    direction: Callable[..., optax.GradientTransformation],
    learning_rate: Rate,
    weight_decay: NonNegative | WeightDecay = 0.0,
    max_gradient_norm: Positive | None = None,
    layer_decay: PositiveShare | LayerDecay = 1.0,
    layers_after: LayersAfter | None = None,
) -> optax.GradientTransformation:
    """An optimizer with any direction of optax.

    `direction` is a function that returns a gradient transformation, such as
    `optax.scale_by_adam`, or a whole optimizer, such as `optax.lion` or `optax.contrib.muon`, whose
    update at rate 1 without weight decay is used. A number for `weight_decay` is the coefficient of
    `WeightDecay`, and one for `layer_decay` the factor of `LayerDecay`: below 1, the rate decreases
    from the last layer to the first, in the order of `layers_after`.
    """
    decay = weight_decay if isinstance(weight_decay, WeightDecay) else WeightDecay(weight_decay)
    clip = [] if max_gradient_norm is None else [optax.clip_by_global_norm(max_gradient_norm)]
    steps = [_direction(direction), decay.transformation()]
    by_layer = layer_decay if isinstance(layer_decay, LayerDecay) else LayerDecay(layer_decay)
    return optax.chain(
        *clip,
        *(steps if decay.decoupled else steps[::-1]),
        optax.scale_by_learning_rate(learning_rate),
        by_layer.transformation(layers_after),
    )


@check_arguments
def sgd(
    *,
    learning_rate: Rate,
    momentum: ShareBelowOne = 0.9,
    nesterov: bool = False,
    weight_decay: NonNegative | WeightDecay = 0.0,
    max_gradient_norm: Positive | None = None,
    layer_decay: PositiveShare | LayerDecay = 1.0,
    layers_after: LayersAfter | None = None,
) -> optax.GradientTransformation:
    """Gradient descent with momentum: v = momentum * v + g; w -= rate * v. Other fields are those
    of `chain`."""
    direction = functools.partial(optax.trace, decay=momentum, nesterov=nesterov)
    return chain(
        direction=direction if momentum else optax.identity,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        max_gradient_norm=max_gradient_norm,
        layer_decay=layer_decay,
        layers_after=layers_after,
    )


@check_arguments
def adamw(
    *,
    learning_rate: Rate,
    betas: Betas = (0.9, 0.999),
    eps: NonNegative = 1e-8,
    weight_decay: NonNegative | WeightDecay = 0.0,
    max_gradient_norm: Positive | None = None,
    layer_decay: PositiveShare | LayerDecay = 1.0,
    layers_after: LayersAfter | None = None,
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay; `betas` are the decay rates of its two moments. Other
    fields are those of `chain`."""
    return chain(
        direction=functools.partial(optax.scale_by_adam, b1=betas[0], b2=betas[1], eps=eps),
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        max_gradient_norm=max_gradient_norm,
        layer_decay=layer_decay,
        layers_after=layers_after,
    )


def _direction(make: Callable[..., Any]) -> optax.GradientTransformation:
    """The result of `make`; for a whole optimizer, its update at rate 1 without weight decay, with
    the sign that `chain` expects (uphill)."""
    parameters = inspect.signature(make).parameters
    is_whole = "learning_rate" in parameters
    given = {name: x for name, x in NEUTRAL.items() if is_whole and name in parameters}
    _check_fields(make, given)
    made = make(**given)
    if not isinstance(made, optax.GradientTransformation):
        raise UserError(
            f"optimizer.direction returns a {type(made).__name__}; wanted an optax transformation, "
            "such as that of optax:lion or optax:scale_by_adam."
        )
    return optax.chain(made, optax.scale(-1.0)) if is_whole else made


def _check_fields(make: Callable[..., Any], given: Mapping[str, float]) -> None:
    """Errors: UserError for a direction that sets fields of the chain, or lacks required ones."""
    if doubled := [name for name in NEUTRAL if name in getattr(make, "keywords", {})]:
        raise UserError(
            f"optimizer.direction sets {', '.join(doubled)}, which belongs to the chain: set the "
            "rate in the node learning_rate, and the decay in optimizer.weight_decay."
        )
    missing = [
        name
        for name, parameter in inspect.signature(make).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and name not in given
    ]
    if missing:
        raise UserError(f"optimizer.direction also needs {', '.join(missing)}.")
