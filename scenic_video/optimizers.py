"""Optimizers as one optax chain, and learning-rate schedules as pure functions of the step.

The chain: leave out what is frozen -> clip by the global norm of what is trained -> direction
(momentum or Adam) with weight decay -> learning rate. What is frozen or decays is said by regular
expressions that are searched in parameter paths such as "Transformer/encoderblock_3/MlpBlock_0/
Dense_0/kernel", never by the number of dimensions. One that finds nothing is an error.

With `layer_decay` the rate falls from the last layer to the first: see `layer_decay.py`.

Weight decay is decoupled unless it says otherwise: w -= rate * weight_decay * w beside the step
that the gradient makes (Loshchilov & Hutter, 2019, algorithm 2), with the scheduled rate.
"""

import difflib
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scenic_video.errors import UserError
from scenic_video.field_types import NonNegative, Number, Positive, PositiveShare, ShareBelowOne
from scenic_video.layer_decay import layer_scales, parameter_paths

KERNELS = (r"(^|/)kernel$",)
"""Which parameters decay by default: kernels, hence no bias, scale, position or token."""

Schedule = Callable[[Any], Any]
"""Step (a number on the host or an array) -> rate; the first update is step 0."""

Rate = Schedule | Number


def constant(
    *,
    peak: NonNegative,
    warmup_epochs: NonNegative = 0.0,
    warmup_steps: NonNegative | None = None,
    num_steps: int,
    steps_per_epoch: Number,
) -> Schedule:
    """Warms up linearly to `peak` and stays there."""
    warmup = _warmup(warmup_epochs, warmup_steps, num_steps, steps_per_epoch)
    return _schedule(peak, peak, warmup, num_steps, decay=lambda progress, xp: 1.0 - progress)


def warmup_cosine(
    *,
    peak: NonNegative,
    warmup_epochs: NonNegative = 0.0,
    warmup_steps: NonNegative | None = None,
    end: NonNegative = 0.0,
    num_steps: int,
    steps_per_epoch: Number,
) -> Schedule:
    """Warms up linearly to `peak`, then falls to `end` as half a cosine.

    Say the warm-up in epochs or in steps; parts of a step are allowed. The first update already
    has a rate of peak / warm-up steps, the last one has `end`, and later steps keep it. The public
    trainers give the same rates one step later: their first update has rate 0.
    """
    warmup = _warmup(warmup_epochs, warmup_steps, num_steps, steps_per_epoch)
    return _schedule(
        peak, end, warmup, num_steps, decay=lambda done, xp: 0.5 * (1.0 + xp.cos(math.pi * done))
    )


def warmup_linear(
    *,
    peak: NonNegative,
    warmup_epochs: NonNegative = 0.0,
    warmup_steps: NonNegative | None = None,
    end: NonNegative = 0.0,
    num_steps: int,
    steps_per_epoch: Number,
) -> Schedule:
    """As `warmup_cosine`, but falls in a straight line."""
    warmup = _warmup(warmup_epochs, warmup_steps, num_steps, steps_per_epoch)
    return _schedule(peak, end, warmup, num_steps, decay=lambda done, xp: 1.0 - done)


def sgd(
    *,
    learning_rate: Rate,
    momentum: ShareBelowOne = 0.9,
    nesterov: bool = False,
    weight_decay: NonNegative = 0.0,
    decoupled: bool = True,
    decay: Sequence[str] = KERNELS,
    max_gradient_norm: Positive | None = None,
    layer_decay: PositiveShare = 1.0,
    freeze: Sequence[str] = (),
) -> optax.GradientTransformation:
    """Gradient descent with momentum: v = momentum * v + g; w -= rate * v.

    With `decoupled=False` the clipped gradient g gets weight_decay * w added before the momentum,
    which is an L2 penalty of weight_decay / 2 * |w|^2.
    """
    direction = optax.trace(decay=momentum, nesterov=nesterov) if momentum else optax.identity()
    decaying = _decay(weight_decay, decay)
    steps = (direction, decaying) if decoupled else (decaying, direction)
    return _chain(
        *steps,
        learning_rate=learning_rate,
        max_gradient_norm=max_gradient_norm,
        layer_decay=layer_decay,
        freeze=freeze,
    )


def adamw(
    *,
    learning_rate: Rate,
    b1: ShareBelowOne = 0.9,
    b2: ShareBelowOne = 0.999,
    eps: NonNegative = 1e-8,
    weight_decay: NonNegative = 0.0,
    decay: Sequence[str] = KERNELS,
    max_gradient_norm: Positive | None = None,
    layer_decay: PositiveShare = 1.0,
    freeze: Sequence[str] = (),
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay."""
    return _chain(
        optax.scale_by_adam(b1=b1, b2=b2, eps=eps),
        _decay(weight_decay, decay),
        learning_rate=learning_rate,
        max_gradient_norm=max_gradient_norm,
        layer_decay=layer_decay,
        freeze=freeze,
    )


def _chain(
    *steps: optax.GradientTransformation,
    learning_rate: Rate,
    max_gradient_norm: Positive | None,
    layer_decay: PositiveShare,
    freeze: Sequence[str],
) -> optax.GradientTransformation:
    """What all optimizers share. Rates by layer come last, where frozen layers count as well."""
    clip = [] if max_gradient_norm is None else [optax.clip_by_global_norm(max_gradient_norm)]
    trained = optax.chain(*clip, *steps, optax.scale_by_learning_rate(learning_rate))
    if freeze:
        trained = optax.partition(
            {"trained": trained, "frozen": optax.set_to_zero()},
            lambda params: _labels(params, tuple(freeze)),
        )
    return trained if layer_decay == 1 else optax.chain(trained, _scale_by_layer(layer_decay))


def _scale_by_layer(layer_decay: Number) -> optax.GradientTransformation:
    def scale(updates: Any, params: Any) -> Any:
        scales = layer_scales(updates, layer_decay)
        return jax.tree.map(lambda update, scale: scale * update, updates, scales)

    def init(params: Any) -> optax.EmptyState:
        layer_scales(params, layer_decay)  # to fail before training, if there are no layers
        return optax.EmptyState()

    return optax.GradientTransformation(init, optax.stateless(scale).update)


def _labels(params: Any, freeze: tuple[str, ...]) -> Any:
    frozen = _found_by(freeze, params, "freeze")
    if all(jax.tree.leaves(frozen)):
        raise UserError(f"freeze={freeze} freezes every parameter; nothing is left to train.")
    return jax.tree.map(lambda is_frozen: "frozen" if is_frozen else "trained", frozen)


def _decay(weight_decay: Number, decay: Sequence[str]) -> optax.GradientTransformation:
    if not weight_decay:
        return optax.identity()
    patterns = tuple(decay)
    if not patterns:
        raise UserError(f"weight_decay={weight_decay}, but decay=() names no parameter.")
    return optax.add_decayed_weights(
        weight_decay, mask=lambda params: _found_by(patterns, params, "decay")
    )


def _found_by(patterns: tuple[str, ...], params: Any, field: str) -> Any:
    """A tree of booleans like `params`: whether some pattern is found in the leaf's path."""
    paths = parameter_paths(params)
    known = jax.tree.leaves(paths)
    for pattern in patterns:
        if not any(re.search(pattern, path) for path in known):
            near = difflib.get_close_matches(pattern, known, n=3, cutoff=0.3) or known[:3]
            raise UserError(
                f"{field}: {pattern!r} finds none of the {len(known)} parameters that are trained "
                f"or could be. Near: {', '.join(near)}."
            )
    return jax.tree.map(lambda path: any(re.search(p, path) for p in patterns), paths)


def _warmup(epochs: Number, steps: Number | None, num_steps: int, steps_per_epoch: Number) -> float:
    """The warm-up in steps."""
    if epochs and steps is not None:
        raise UserError(f"Set warmup_epochs={epochs} or warmup_steps={steps}, not both.")
    warmup = float(epochs * steps_per_epoch if steps is None else steps)
    if num_steps < 1 or not 0 <= warmup < num_steps:
        raise UserError(
            f"A warm-up of {warmup:g} steps ({epochs:g} epochs of {steps_per_epoch:g}) does not "
            f"fit a run of {num_steps} steps. Train longer, or set a shorter warm-up."
        )
    return warmup


def _schedule(peak: Number, end: Number, warmup: Number, num_steps: int, *, decay: Any) -> Schedule:
    """Rates of updates 0, 1, ...; `decay` falls from 1 to 0 over the updates after the warm-up."""

    def rate(step: Any) -> Any:
        xp = jnp if isinstance(step, jax.Array) else np
        updates = xp.asarray(step, np.float32) + 1
        risen = xp.minimum(1.0, updates / warmup) if warmup else 1.0
        done = xp.clip((updates - warmup) / (num_steps - warmup), 0.0, 1.0)
        return risen * (end + (peak - end) * decay(done, xp))

    return rate
