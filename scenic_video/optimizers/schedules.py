"""Learning-rate schedules: pure functions of the step, for the host and for devices."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scenic_video.config import check_arguments
from scenic_video.errors import UserError
from scenic_video.field_types import NonNegative, Number

Schedule = Callable[[Any], Any]
"""Step (a number on the host or an array) -> rate; the first update is step 0."""

Rate = Schedule | Number


@check_arguments
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


@check_arguments
def warmup_cosine(
    *,
    peak: NonNegative,
    warmup_epochs: NonNegative = 0.0,
    warmup_steps: NonNegative | None = None,
    end: NonNegative = 0.0,
    num_steps: int,
    steps_per_epoch: Number,
) -> Schedule:
    """Warms up linearly to `peak`, then decays to `end` along half a cosine.

    Set the warm-up in epochs or in steps; fractions of a step are allowed. The rate of the first
    update is peak / warm-up steps; the rate of the last update, and of any after it, is `end`. In
    the public trainers the same rates come one step later: their first update has rate 0.
    """
    warmup = _warmup(warmup_epochs, warmup_steps, num_steps, steps_per_epoch)
    return _schedule(
        peak, end, warmup, num_steps, decay=lambda done, xp: 0.5 * (1.0 + xp.cos(math.pi * done))
    )


@check_arguments
def warmup_linear(
    *,
    peak: NonNegative,
    warmup_epochs: NonNegative = 0.0,
    warmup_steps: NonNegative | None = None,
    end: NonNegative = 0.0,
    num_steps: int,
    steps_per_epoch: Number,
) -> Schedule:
    """As `warmup_cosine`, but decays linearly."""
    warmup = _warmup(warmup_epochs, warmup_steps, num_steps, steps_per_epoch)
    return _schedule(peak, end, warmup, num_steps, decay=lambda done, xp: 1.0 - done)


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
    """The rate as a function of the step; `decay` goes from 1 to 0 over the updates after the
    warm-up."""

    def rate(step: Any) -> Any:
        xp = jnp if isinstance(step, jax.Array) else np
        updates = xp.asarray(step, np.float32) + 1
        risen = xp.minimum(1.0, updates / warmup) if warmup else 1.0
        done = xp.clip((updates - warmup) / (num_steps - warmup), 0.0, 1.0)
        return risen * (end + (peak - end) * decay(done, xp))

    return rate
