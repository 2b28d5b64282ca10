"""Examples that lack a modality: nothing reads what stands in its place."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Shaped


def where_present(
    present: Bool[Array, " b"] | None, values: Shaped[Array, "b ..."], otherwise: ArrayLike = 0.0
) -> Shaped[Array, "b ..."]:
    """`values` of the examples that are `present` (None: all), and `otherwise` in the others.

    A choice and not a product, so that even a NaN among the values of an absent example is lost.
    """
    if present is None:
        return values
    one_per_example = present.reshape(-1, *(1,) * (values.ndim - 1))
    otherwise = jnp.broadcast_to(jnp.asarray(otherwise, values.dtype), values.shape)
    return jnp.where(jnp.broadcast_to(one_per_example, values.shape), values, otherwise)


def read_presence(
    presence: Mapping[str, Shaped[Array, " b"]] | None, modalities: Sequence[str]
) -> dict[str, Bool[Array, " b"]] | None:
    """Whether each example has each of `modalities`; None if nothing is said of any of them.

    `presence` is above 0 where an example has a modality; one that it does not name is there.
    """
    presence = {} if presence is None else presence
    said = {name: jnp.asarray(presence[name]) > 0 for name in modalities if name in presence}
    if not said:
        return None
    everywhere = jnp.ones_like(next(iter(said.values())))
    return {name: said.get(name, everywhere) for name in modalities}


def all_if_none(
    present: Mapping[str, Bool[Array, " b"]] | None,
) -> dict[str, Bool[Array, " b"]] | None:
    """The same, but examples without any modality count as if they had all of them.

    A mean or a softmax over nothing would be NaN; what comes out of such examples is to be masked.
    """
    if present is None:
        return None
    none = ~jnp.stack(list(present.values())).any(axis=0)
    return {name: x | none for name, x in present.items()}


def mean_over_present(
    values: Mapping[str, Float[Array, "b ..."]], present: Mapping[str, Bool[Array, " b"]] | None
) -> Float[Array, "b ..."]:
    """The mean over the modalities that an example has, which is one at least."""
    stacked = jnp.stack(list(values.values()))
    if present is None:
        return jnp.mean(stacked, axis=0)
    where = jnp.stack([present[name] for name in values])
    where = where.reshape(*where.shape, *(1,) * (stacked.ndim - 2))
    return jnp.mean(stacked, axis=0, where=jnp.broadcast_to(where, stacked.shape))
