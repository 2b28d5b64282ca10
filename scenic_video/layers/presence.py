"""Examples that lack a modality: functions that ignore its values."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Shaped

from scenic_video.errors import UserError

Present = Mapping[str, Bool[Array, " b"]] | None
"""Which examples have each modality; None if all have all."""


def where_present(
    present: Bool[Array, " b"] | None, values: Shaped[Array, "b ..."], otherwise: ArrayLike = 0.0
) -> Shaped[Array, "b ..."]:
    """`values` for examples that are `present` (None: all), and `otherwise` for the others.

    It selects instead of multiplying, so that NaN in an absent example is also replaced.
    """
    if present is None:
        return values
    one_per_example = present.reshape(-1, *(1,) * (values.ndim - 1))
    otherwise = jnp.broadcast_to(jnp.asarray(otherwise, values.dtype), values.shape)
    return jnp.where(jnp.broadcast_to(one_per_example, values.shape), values, otherwise)


def read_presence(
    presence: Mapping[str, Shaped[Array, " b"]] | None, modalities: Sequence[str]
) -> Present:
    """Whether each example has each of `modalities`; None if `presence` names none of them.

    `presence` is above 0 where an example has a modality; modalities that it does not name are
    always present. Errors: UserError for a name that is not among `modalities`.
    """
    presence = {} if presence is None else presence
    if unknown := [name for name in presence if name not in modalities]:
        raise UserError(
            f"presence names {', '.join(unknown)}, but the model takes {', '.join(modalities)}. "
            "Change the name, or leave it out."
        )
    given = {name: jnp.asarray(presence[name]) > 0 for name in modalities if name in presence}
    if not given:
        return None
    everywhere = jnp.ones_like(next(iter(given.values())))
    return {name: given.get(name, everywhere) for name in modalities}


def all_if_none(present: Present) -> Present:
    """The same, except that examples without any modality are treated as having all of them.

    A mean or softmax over nothing would be NaN. The outputs of such examples must be masked.
    """
    if present is None:
        return None
    none = ~jnp.stack(list(present.values())).any(axis=0)
    return {name: x | none for name, x in present.items()}


def mean_over_present(
    values: Float[Array, "n b *shape"], presence: Shaped[Array, "n b"]
) -> Float[Array, "b *shape"]:
    """The weighted mean over those of the n values (modalities, views) that an example has.

    `presence` is 0 where an example lacks a value, and the weight of the value elsewhere. Absent
    values do not count, even if NaN. Examples without any get the plain mean, to be masked.
    """
    weights = _weights(presence, values)
    total = jnp.where(weights > 0, values * weights, 0.0).sum(axis=0)
    return total / weights.sum(axis=0)


def log_mean_over_present(
    logarithms: Float[Array, "n b *shape"], presence: Shaped[Array, "n b"]
) -> Float[Array, "b *shape"]:
    """log(mean_over_present(exp(logarithms), presence)), also if exp underflows to 0."""
    weights = _weights(presence, logarithms)
    total = jax.nn.logsumexp(logarithms, axis=0, b=weights)
    return total - jnp.log(weights.sum(axis=0))


def mean_over_modalities(
    values: Mapping[str, Float[Array, "b ..."]], present: Present
) -> Float[Array, "b ..."]:
    """`mean_over_present` of values by modality; `present` is None if all examples have all."""
    stacked = jnp.stack(list(values.values()))
    if present is None:
        return stacked.mean(axis=0)
    return mean_over_present(stacked, jnp.stack([present[name] for name in values]))


def _weights(presence: Shaped[Array, "n b"], values: Float[Array, "n b ..."]) -> Array:
    weights = jnp.where((presence > 0).any(axis=0, keepdims=True), presence, 1.0)
    return weights.reshape(*weights.shape, *(1,) * (values.ndim - 2)).astype(values.dtype)
