"""Checks the logits of a classification model, and splits them by head."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scenic_video.errors import UserError
from scenic_video.tasks.presence import Inputs

WANTED = "wanted logits [batch, classes]"


def split_logits(
    logits: Any, heads: Mapping[str, int], *, model: Any, batch: int
) -> dict[str, jax.Array]:
    """Splits logits [B, sum of heads] by head. Errors: UserError if `logits` is anything else."""
    total, name = sum(heads.values()), type(model).__name__
    if not hasattr(logits, "shape"):
        raise UserError(
            f"{name} returned a {type(logits).__name__}; {WANTED}, or {{modality: logits}}."
        )
    if logits.ndim != 2 or logits.shape[0] != batch:
        raise UserError(
            f"{name} returned an array of shape {logits.shape}; {WANTED} = ({batch}, {total}). "
            "Pool over the axes of time and space before the last layer."
        )
    if logits.shape[1] != total:
        raise UserError(
            f"{name} returned {logits.shape[1]} logits, but the heads {dict(heads)} need {total}. "
            + _remedy(model, total)
        )
    parts = jnp.split(logits.astype(jnp.float32), np.cumsum(list(heads.values()))[:-1], axis=-1)
    return dict(zip(heads, parts, strict=True))


def check_names(logits: Mapping[str, Any], inputs: Inputs, *, model: Any) -> None:
    """Errors: UserError unless all keys of `logits` are modalities of the inputs."""
    if not logits or not set(logits) <= set(inputs.arrays):
        raise UserError(
            f"{type(model).__name__} returned a dict of {', '.join(map(repr, logits))}; {WANTED}, "
            f"or a dict of them by modality ({', '.join(map(repr, inputs.arrays))})."
        )


def _remedy(model: Any, total: int) -> str:
    if hasattr(model, "num_classes"):
        return "Set model.num_classes to their sum, or leave it out of the config."
    return f"Add a field num_classes, which will be set to {total}, and use it in the last layer."
