"""Fingerprints of arrays, to detect any change of their bits."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np


def fingerprints(leaves: Mapping[str, jax.Array]) -> dict[str, int]:
    """The fingerprint of every array.

    One program for all of them: processes that run many small ones, each with a sum over devices,
    may interfere with each other.
    """
    found = jax.device_get(_fingerprints(dict(leaves)))
    return {path: int(value) for path, value in found.items()}


@jax.jit
def _fingerprints(leaves: dict[str, jax.Array]) -> dict[str, jax.Array]:
    return {path: fingerprint(leaf) for path, leaf in leaves.items()}


@jax.jit
def fingerprint(x: jax.Array) -> jax.Array:
    """A uint32 of the bits of `x` and their positions, independent of how `x` is sharded.

    Each element's bits are mixed with its index by a bijection (the finalizer of MurmurHash3,
    Appleby, 2011) and summed modulo 2^32, so a change of one element is always detected.
    """
    if x.dtype == jnp.bool_:
        x = x.astype(jnp.uint8)
    size = min(x.dtype.itemsize, 4)
    bits = jax.lax.bitcast_convert_type(x, f"uint{8 * size}").astype(jnp.uint32)
    index = jnp.zeros(bits.shape, jnp.uint32)
    for dimension, length in enumerate(bits.shape):
        index = index * np.uint32(length) + jax.lax.broadcasted_iota(
            jnp.uint32, bits.shape, dimension
        )
    h = bits ^ (index * np.uint32(0x9E3779B9))
    h = (h ^ (h >> 16)) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> 13)) * np.uint32(0xC2B2AE35)
    return jnp.sum(h ^ (h >> 16), dtype=jnp.uint32)
