"""Normalisation of tokens other than the library's."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float


class OffsetLayerNorm(nn.Module):
    """LayerNorm that multiplies by 1 + `scale`, computed in float32, with a result in `dtype`.

    Weights trained so are held as they are: 1 + scale, rounded, would not give scale back.
    """

    epsilon: float = 1e-6
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, tokens: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
        width = tokens.shape[-1:]
        scale = self.param("scale", nn.initializers.zeros, width)
        bias = self.param("bias", nn.initializers.zeros, width)
        normalize = nn.LayerNorm(
            self.epsilon,
            use_bias=False,
            use_scale=False,
            use_fast_variance=False,
            dtype=jnp.float32,
        )
        scale, bias = (jnp.broadcast_to(x, tokens.shape) for x in (scale + 1, bias))
        return (normalize(tokens) * scale + bias).astype(self.dtype)
