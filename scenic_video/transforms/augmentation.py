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
"""(example, rng) -> the example, randomly changed. Frames are float32 [t, h, w, 3] in [0, 1],
spectrograms float32 [columns, bins], normalised."""

KEY_OFFSET = 2**31
"""Plus the position of an augmentation in its list, folded into the keys of all but the first."""


def augment(
    examples: Float[Array, "b *shape"],
    augmentations: Sequence[Augment],
    rng: Key[Array, ""],
    **known: Any,
) -> Float[Array, "b *shape"]:
    """Applies `augmentations` in order to each example.

    The random numbers of example i depend only on `rng`, i and the position in the list: neither on
    the size of the batch nor on its sharding. An augmentation that has a keyword of `known`, such
    as the `mean` by which pixels are normalised, is called with it.
    """
    rngs = jax.vmap(jax.random.fold_in, (None, 0))(rng, jnp.arange(len(examples)))
    for position, function in enumerate(augmentations):
        keys = rngs
        if position:
            keys = jax.vmap(jax.random.fold_in, (0, None))(rngs, KEY_OFFSET + position)
        augmented = jax.vmap(_with_known(function, known))(examples, keys)
        _check(function, examples, augmented)
        examples = augmented
    return examples


def name_of(function: Augment) -> str:
    """The name of an augmentation, which may be a `functools.partial`."""
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
            f"The augmentation {name_of(function)} must return an example of the same shape "
            f"and type, here {before.dtype} {before.shape[1:]}; a batch of these became {after}."
        )
