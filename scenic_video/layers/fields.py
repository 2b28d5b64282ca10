"""Checks of the fields of models and layers, with errors that name the field."""

import dataclasses
from collections.abc import Collection
from typing import Any

import jax.numpy as jnp

from scenic_video.config import check_fields
from scenic_video.errors import UserError
from scenic_video.layers.attention import IMPLEMENTATIONS
from scenic_video.layers.embeddings import KERNEL_STARTS

# Fields that mean the same in every model that has them.
KNOWN = {
    "attention_implementation": IMPLEMENTATIONS,
    "dtype": ("float32", "bfloat16"),
    "tubelet_start": KERNEL_STARTS,
}
RATES = ("dropout_rate", "attention_dropout_rate", "stochastic_depth_rate")


def check_shared_fields(model: Any) -> None:
    """Errors: UserError if a field of `KNOWN` or `RATES` that the model has is not valid."""
    for field in (name for name in KNOWN if hasattr(model, name)):
        require_one_of(model, field, KNOWN[field])
    check_fields(model, RATES)


def require_one_of(owner: Any, field: str, known: Collection[str]) -> None:
    """Errors: UserError unless the field of `owner` is one of `known`; dtypes are compared by
    name."""
    value = getattr(owner, field)
    name = _dtype_name(value) if field == "dtype" else value
    if name not in tuple(known):
        raise UserError(f"{_field(owner, field)}, not one of {tuple(known)}.")


def refuse_unused(owner: Any, field: str, **condition: Any) -> None:
    """Errors: UserError if a field is set, but not the `condition` (field=value) for its use.

    A field counts as set unless it is its default or None.
    """
    ((name, wanted),) = condition.items()
    default = next(x.default for x in dataclasses.fields(owner) if x.name == field)
    if getattr(owner, name) != wanted and getattr(owner, field) not in (None, default):
        raise UserError(
            f"{_field(owner, field)}, but is not used if {name} is {getattr(owner, name)!r}. "
            f"Leave {field} out, or set {name}={wanted!r}."
        )


def _field(owner: Any, field: str) -> str:
    return f"{type(owner).__name__}: {field} is {getattr(owner, field)!r}"


def _dtype_name(value: Any) -> str | None:
    try:
        return jnp.dtype(value).name
    except TypeError:  # not a dtype
        return None
