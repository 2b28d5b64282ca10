"""Applies a list of augmentations to the examples of a batch, in order, on the device."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from scenic_video.errors import UserError

Augment = Callable[..., Any]
"""(example, rng) -> that example, changed at random. Frames are float32 [t, h, w, 3] in [0, 1],
spectrograms float32 [columns, bins], normalised."""

LATER = 2**31
"""Folded, with its place, into the keys of all augmentations of a list but the first."""


def augment(
    examples: Float[Array, "b *shape"],
    augmentations: Sequence[Augment],
    rng: Key[Array, ""],
    **known: Any,
) -> Float[Array, "b *shape"]:
    """`augmentations`, one after another, of each example.

    The draws of example i depend on `rng`, i and the place in the list alone: neither on the size
    of the batch nor on how it lies on the mesh. An augmentation that has a keyword of `known`, such
    as the `mean` that pixels are normalised by, is called with it.
    """
    rngs = jax.vmap(jax.random.fold_in, (None, 0))(rng, jnp.arange(len(examples)))
    for place, function in enumerate(augmentations):
        own = jax.vmap(jax.random.fold_in, (0, None))(rngs, LATER + place) if place else rngs
        augmented = jax.vmap(_with_known(function, known))(examples, own)
        _check(function, examples, augmented)
        examples = augmented
    return examples


def name_of(function: Augment) -> str:
    """The name of an augmentation, whose fields may be bound."""
    if isinstance(function, functools.partial):
        return name_of(function.func)
    return getattr(function, "__name__", type(function).__name__)


def _with_known(function: Augment, known: dict[str, Any]) -> Augment:
    parameters = inspect.signature(function).parameters
    bound = function.keywords if isinstance(function, functools.partial) else {}
    taken = {name: x for name, x in known.items() if name in parameters and name not in bound}
    return functools.partial(function, **taken)


def _check(function: Augment, before: jax.Array, after: Any) -> None:
    kinds = [(getattr(x, "shape", None), getattr(x, "dtype", None)) for x in (before, after)]
    if kinds[0] != kinds[1]:
        raise UserError(
            f"The augmentation {name_of(function)} must return an example as it got it, here "
            f"{before.dtype} {before.shape[1:]}; a batch of these became {after}."
        )
