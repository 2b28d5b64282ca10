"""Replaces a grid of tokens by a few learned ones, and maps these back to the grid: TokenLearner
(Ryoo et al., NeurIPS 2021), section 2.

The modules that learn tokens take a grid [..., h, w, d], square or not, and return [..., s, d];
time is a leading axis, so that each frame is summarised separately. The spatial attention maps of
the tokens, [..., h, w, s], are sown into "intermediates" as "maps".
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from einops import rearrange, reduce
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from scenic_video.errors import UserError
from scenic_video.layers.attention import MultiHeadDotProductAttention, attention
from scenic_video.layers.transformer import Encoder, MlpBlock


class TokenLearnerModule(nn.Module):
    """v1: four 3x3 convolutions and a sigmoid give the maps; tokens are sums weighted by them.

    `pooling` is "sum", as in the paper, or "mean", which divides by the number of positions.
    """

    num_tokens: int
    pooling: Literal["sum", "mean"] = "sum"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, grid: Float[Array, "*frames h w d"], *, train: bool = False
    ) -> Float[Array, "*frames s d"]:
        maps = nn.LayerNorm(dtype=self.dtype, name="LayerNorm_0")(grid)
        for layer in range(4):
            maps = self._convolution(f"Conv_{layer}")(nn.gelu(maps) if layer else maps)
        maps = nn.sigmoid(maps.astype(jnp.float32))
        tokens = _weighted_sum(self, maps, grid)
        return tokens / (grid.shape[-3] * grid.shape[-2]) if self.pooling == "mean" else tokens

    def _convolution(self, name: str) -> nn.Conv:
        return nn.Conv(self.num_tokens, (3, 3), use_bias=False, dtype=self.dtype, name=name)


class TokenLearnerModuleV11(nn.Module):
    """v1.1: an MLP of `bottleneck_dim` and a softmax over positions give the maps; tokens are means
    weighted by them. As in v1, only the maps use the normalised input."""

    num_tokens: int
    bottleneck_dim: int = 64
    dropout_rate: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, grid: Float[Array, "*frames h w d"], *, train: bool = False
    ) -> Float[Array, "*frames s d"]:
        normalised = nn.LayerNorm(dtype=self.dtype, name="LayerNorm_0")(grid)
        maps = MlpBlock(
            self.bottleneck_dim,
            dropout_rate=self.dropout_rate,
            output_dim=self.num_tokens,
            dtype=self.dtype,
            name="token_masking",
        )(normalised, train=train)
        maps = jax.nn.softmax(maps.astype(jnp.float32), axis=(-3, -2))
        return _weighted_sum(self, maps, grid)


class TokenLearnerCrossAttention(nn.Module):
    """Learned `queries` [1, s, d] attend over the normalised grid (Jaegle et al., Perceiver).

    The queries are not added to the output. The maps are means over heads.
    """

    num_tokens: int
    num_heads: int
    dropout_rate: float = 0.0
    attention: Callable[..., Any] = attention
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, grid: Float[Array, "*frames h w d"], *, train: bool = False
    ) -> Float[Array, "*frames s d"]:
        *frames, height, width, depth = grid.shape
        start = nn.initializers.normal(0.02)
        queries = self.param("queries", start, (1, self.num_tokens, depth))
        queries = jnp.broadcast_to(queries[0], (*frames, self.num_tokens, depth))
        normalised = nn.LayerNorm(dtype=self.dtype, name="LayerNorm_0")(grid)

        def attend(query: Array, key: Array, value: Array, **how: Any) -> Array:
            # Attention kernels do not return probabilities, so these are computed again.
            if self.is_mutable_collection("intermediates"):
                maps = _mean_probabilities(query, key)
                maps = rearrange(maps, "... s (h w) -> ... h w s", h=height, w=width)
                self.sow("intermediates", "maps", maps)
            return self.attention(query, key, value, **how)

        tokens = MultiHeadDotProductAttention(
            self.num_heads,
            dropout_rate=self.dropout_rate,
            attention=attend,
            dtype=self.dtype,
            name="MultiHeadDotProductAttention_0",
        )(queries, rearrange(normalised, "... h w d -> ... (h w) d"), train=train)
        return tokens.astype(jnp.float32)


class TokenFuser(nn.Module):
    """Maps learned tokens back to the grid that they came from.

    The tokens are mixed with each other, and the output at each position is their sum with sigmoid
    weights of its own, which are sown as "maps". The output is zero at initialisation; add it to
    the grid. The weights come from an MLP of `bottleneck_dim`, as in the public code, or with None
    from one layer without bias, as in the paper's tables.
    """

    bottleneck_dim: int | None = 64
    dropout_rate: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        tokens: Float[Array, "*frames s d"],
        grid: Float[Array, "*frames h w d"],
        *,
        train: bool = False,
    ) -> Float[Array, "*frames h w d"]:
        num_tokens = tokens.shape[-2]
        maps = nn.LayerNorm(dtype=self.dtype, name="LayerNorm_0")(grid)
        maps = nn.sigmoid(self._weigh(maps, num_tokens, train=train).astype(jnp.float32))
        self.sow("intermediates", "maps", maps)
        mixed = nn.LayerNorm(dtype=self.dtype, name="fuser_mix_norm1")(tokens)
        mix = nn.Dense(
            num_tokens, kernel_init=nn.initializers.zeros, dtype=self.dtype, name="Dense_0"
        )
        mixed = mix(mixed.swapaxes(-2, -1)).swapaxes(-2, -1)
        mixed = nn.LayerNorm(dtype=self.dtype, name="fuser_mix_norm2")(mixed)
        return jnp.einsum("...hws,...sd->...hwd", maps, mixed.astype(jnp.float32))

    def _weigh(self, grid: Array, num_tokens: int, *, train: bool) -> Array:
        if self.bottleneck_dim is None:
            layer = nn.Dense(num_tokens, use_bias=False, dtype=self.dtype, name="token_masking")
            return layer(grid)
        mlp = MlpBlock(
            self.bottleneck_dim,
            dropout_rate=self.dropout_rate,
            output_dim=num_tokens,
            dtype=self.dtype,
            name="token_masking",
        )
        return mlp(grid, train=train)


class TokenLearnerEncoder(Encoder, kw_only=True):
    """An encoder over a flattened `grid`, (h, w) or (t, h, w), whose later blocks process learned
    tokens.

    Before block `learn_at` the tokens of each frame are replaced by the learned tokens that `learn`
    computes; later blocks attend to those of all frames. With `fuse`, every later block has learned
    tokens of its own, and its output is mapped back to the grid and added.
    """

    grid: tuple[int, ...]
    learn_at: int
    learn: Callable[[], Any]
    fuse: Callable[[], Any] | None = None

    def _pass(
        self, layer: int, block: Callable[[Array], Array], tokens: Array, *, train: bool
    ) -> Array:
        if layer < self.learn_at or (layer > self.learn_at and self.fuse is None):
            return block(tokens)
        grid = tokens.reshape(tokens.shape[0], *self.grid, tokens.shape[-1])
        learned = self.learn()(grid, train=train)
        processed = block(_join_frames(learned)).reshape(learned.shape)
        if self.fuse is None:
            return _join_frames(processed)
        return tokens + self.fuse()(processed, grid, train=train).reshape(tokens.shape)


class PoolingEncoder(Encoder, kw_only=True):
    """An encoder over a flattened `grid` (h, w) that averages square windows of tokens before the
    blocks `pool_at`; `windows` are the sides of these windows."""

    grid: tuple[int, ...]
    pool_at: Sequence[int]
    windows: Sequence[int]

    def _pass(
        self, layer: int, block: Callable[[Array], Array], tokens: Array, *, train: bool
    ) -> Array:
        if layer not in self.pool_at:
            return block(tokens)
        place = self.pool_at.index(layer)
        height, width = (side // math.prod(self.windows[:place]) for side in self.grid)
        window = self.windows[place]
        if height % window or width % window:
            raise UserError(
                f"Windows of {window} do not divide the {height} x {width} tokens before block "
                f"{layer}. Change pool_windows, or the size of the input."
            )
        pattern = "b (h p w q) d -> b (h w) d"
        return block(
            reduce(
                tokens, pattern, "mean", p=window, q=window, h=height // window, w=width // window
            )
        )


def _weighted_sum(module: nn.Module, maps: Array, grid: Array) -> Array:
    """The tokens, in float32 like the residual stream; sows the maps."""
    module.sow("intermediates", "maps", maps)
    return jnp.einsum("...hws,...hwd->...sd", maps, grid.astype(jnp.float32))


def _mean_probabilities(query: Array, key: Array) -> Array:
    """Mean over heads of softmax(query key^T / sqrt(depth)), [..., q, k], in float32."""
    query, key = query.astype(jnp.float32), key.astype(jnp.float32)
    logits = jnp.einsum("...qhd,...khd->...hqk", query * query.shape[-1] ** -0.5, key)
    return jax.nn.softmax(logits, axis=-1).mean(axis=-3)


def _join_frames(tokens: Array) -> Array:
    """[b, s, d], or [b, t, s, d] as [b, t s, d]."""
    return rearrange(tokens, "b ... s d -> b (... s) d")
