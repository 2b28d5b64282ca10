"""Errors of the fields of models and their parts, as these are made: what came, what was wanted."""

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
    """A UserError unless the fields of `KNOWN` and `RATES` are right, as far as a model has
    them."""
    for field in (name for name in KNOWN if hasattr(model, name)):
        require_one_of(model, field, KNOWN[field])
    check_fields(model, RATES)


def require_one_of(owner: Any, field: str, known: Collection[str]) -> None:
    """A UserError unless the field of `owner` is one of `known`; a dtype goes by its name."""
    value = getattr(owner, field)
    name = _dtype_name(value) if field == "dtype" else value
    if name not in tuple(known):
        raise UserError(f"{_field(owner, field)}, not one of {tuple(known)}.")


def refuse_unread(owner: Any, field: str, **reader: Any) -> None:
    """A UserError if a field is set that only an owner with `reader` (field=value) reads.

    It counts as set unless it has its default or is None.
    """
    ((name, wanted),) = reader.items()
    default = next(x.default for x in dataclasses.fields(owner) if x.name == field)
    if getattr(owner, name) != wanted and getattr(owner, field) not in (None, default):
        raise UserError(
            f"{_field(owner, field)}, which nothing reads: {name} is {getattr(owner, name)!r}. "
            f"Leave {field} out, or set {name}={wanted!r}."
        )


def _field(owner: Any, field: str) -> str:
    return f"{type(owner).__name__}: {field} is {getattr(owner, field)!r}"


def _dtype_name(value: Any) -> str | None:
    try:
        return jnp.dtype(value).name
    except TypeError:  # no dtype at all
        return None
