"""Norms against the library's."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from scenic_video.layers.norms import OffsetLayerNorm

TOKENS = jax.random.normal(jax.random.key(0), (3, 5, 8))


def test_a_scale_is_stored_as_its_difference_from_one():
    scale, bias = jnp.linspace(-0.5, 0.5, 8), jnp.arange(8.0)
    norms: list[tuple[Any, jax.Array]] = [(OffsetLayerNorm(), scale), (nn.LayerNorm(), 1 + scale)]
    ours, theirs = (
        norm.apply({"params": {"scale": values, "bias": bias}}, TOKENS) for norm, values in norms
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_it_starts_as_the_librarys_does_and_computes_in_float32():
    norms: list[Any] = [OffsetLayerNorm(dtype=jnp.bfloat16), nn.LayerNorm(dtype=jnp.float32)]
    tokens = TOKENS.astype(jnp.bfloat16)
    ours, theirs = (norm.init_with_output(jax.random.key(0), tokens)[0] for norm in norms)
    assert ours.dtype == jnp.bfloat16
    np.testing.assert_array_equal(ours, theirs.astype(jnp.bfloat16))
