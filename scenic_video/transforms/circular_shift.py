"""Circular shift of a spectrogram along time, by a random number of columns."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


def circular_shift(
    spectrogram: Float[Array, "columns bins"], rng: Key[Array, ""]
) -> Float[Array, "columns bins"]:
    """The spectrogram, rolled along time; what leaves at the end enters at the start."""
    shift = jax.random.randint(jax.random.fold_in(rng, 0), (), 0, len(spectrogram))
    return jnp.roll(spectrogram, shift, axis=0)
