"""Separate attention over time and over space, on sequences of flattened frames."""

import functools
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Float, Key

from scenic_video.layers.attention import attention
from scenic_video.layers.transformer import EncoderBlock


class FactorisedSelfAttentionBlock(EncoderBlock, kw_only=True):
    """Attention over time, attention over space and an MLP, each with a residual (figure 5)."""

    num_frames: int
    order: Sequence[str]
    time_out_kernel_init: Callable[..., Array]

    @nn.compact
    def __call__(
        self, tokens: Float[Array, "b n d"], *, train: bool = False
    ) -> Float[Array, "b n d"]:
        tokens = rearrange(tokens, "b (t n) d -> b t n d", t=self.num_frames)
        for axis in self.order:
            tokens = self._attend_over(axis, tokens, train=train)
        tokens = self._apply_mlp(tokens, norm="LayerNorm_mlp", name="MlpBlock", train=train)
        return rearrange(tokens, "b t n d -> b (t n) d")

    def _attend_over(self, axis: str, tokens: Array, *, train: bool) -> Array:
        attend = functools.partial(
            self._attend,
            norm=f"LayerNorm_{axis}",
            name=f"MultiHeadDotProductAttention_{axis}",
            train=train,
        )
        if axis == "space":
            return attend(tokens)
        tokens = attend(tokens.swapaxes(1, 2), out_kernel_init=self.time_out_kernel_init)
        return tokens.swapaxes(1, 2)


def factorised_attention(
    query: Float[Array, "b n heads depth"],
    key: Float[Array, "b n heads depth"],
    value: Float[Array, "b n heads depth"],
    *,
    num_frames: int,
    implementation: str = "auto",
    dropout_rate: float = 0.0,
    dropout_rng: Key[Array, ""] | None = None,
) -> Float[Array, "b n heads depth"]:
    """The first half of the heads attends over time, the second over space (figure 6)."""
    frames = [rearrange(x, "b (t n) h d -> b t n h d", t=num_frames) for x in (query, key, value)]
    over_time, over_space = zip(*(jnp.split(x, 2, axis=-2) for x in frames), strict=True)
    rngs = (None, None) if dropout_rng is None else jax.random.split(dropout_rng)
    attend = functools.partial(attention, implementation=implementation, dropout_rate=dropout_rate)
    over_time = [x.swapaxes(1, 2) for x in over_time]
    mixed_over_time = attend(*over_time, dropout_rng=rngs[0]).swapaxes(1, 2)
    mixed_over_space = attend(*over_space, dropout_rng=rngs[1])
    mixed = jnp.concatenate([mixed_over_time, mixed_over_space], axis=-2)
    return rearrange(mixed, "b t n h d -> b (t n) h d")
