"""Blocks in which views of one input exchange information.

Yan et al., Multiview Transformers for Video Recognition (CVPR 2022). Views are
counted from the coarsest; the width of tokens may differ between views.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from scenic_video.layers.attention import MultiHeadDotProductAttention, attention
from scenic_video.layers.presence import where_present
from scenic_video.layers.transformer import EncoderBlock, MlpBlock, StochasticDepth


class CrossViewBlock(nn.Module, kw_only=True):
    """Cross-view attention between `pairs` of views (queries, keys and values), then self-attention
    and an MLP in every view, each with a LayerNorm before it and a residual (figure 2a).

    All views take part in cross-view attention, whatever their depth; only `active` views have
    self-attention and an MLP in this layer. The output of cross-view attention is zero at
    initialisation. Its width and number of heads are those of the `sizes_from` view ("query" or
    "key_value"). Keys come from tokens before any update, or with `cascade` from updated tokens.
    Views that are absent from an example are not attended to (`presence`: a bool [b] for each view,
    or None).
    """

    mlp_dims: Sequence[int]
    num_heads: Sequence[int]
    active: Sequence[bool]
    stochastic_depth_rates: Sequence[float]
    pairs: Sequence[tuple[int, int]]
    sizes_from: str = "query"
    cascade: bool = False
    dropout_rate: float = 0.0
    attention_dropout_rate: float = 0.0
    attention: Callable[..., Any] = attention
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        views: Sequence[Float[Array, "b *frames _ _"]],
        presence: Sequence[Bool[Array, " b"] | None] | None = None,
        *,
        train: bool = False,
    ) -> list[Float[Array, "b *frames _ _"]]:
        presence = presence or [None] * len(views)
        tokens = self._attend_across(list(views), presence, train=train)
        active = [view for view, is_active in enumerate(self.active) if is_active]
        for view in active:
            normal = self._norm(f"msa_ln_view{view}")(tokens[view])
            heads = self._heads(f"msa_view{view}", num_heads=self.num_heads[view])
            branch = self._dropout(heads(normal, train=train), train=train)
            tokens[view] += self._drop_for_whole_examples(branch, view=view, train=train)
        for view in active:
            normal = self._norm(f"mlp_ln_view{view}")(tokens[view])
            branch = MlpBlock(
                self.mlp_dims[view],
                dropout_rate=self.dropout_rate,
                dtype=self.dtype,
                name=f"mlp_view{view}",
            )(normal, train=train)
            tokens[view] += self._drop_for_whole_examples(branch, view=view, train=train)
        return tokens

    def _attend_across(
        self, tokens: list[Array], presence: Sequence[Array | None], *, train: bool
    ) -> list[Array]:
        norms = [self._norm(f"cross_attention_ln_view{view}") for view in range(len(tokens))]
        before = [norm(view) for norm, view in zip(norms, tokens, strict=True)]
        for query, source in self.pairs:
            sized = query if self.sizes_from == "query" else source
            heads = self._heads(
                f"cross_attention_view{query}_{source}",
                num_heads=self.num_heads[sized],
                qkv_features=tokens[sized].shape[-1],
                out_kernel_init=nn.initializers.zeros,
            )
            keys_values = norms[source](tokens[source]) if self.cascade else before[source]
            branch = self._dropout(heads(before[query], keys_values, train=train), train=train)
            branch = where_present(presence[source], branch)
            tokens[query] += self._drop_for_whole_examples(branch, view=query, train=train)
        return tokens

    def _norm(self, name: str) -> nn.LayerNorm:
        return nn.LayerNorm(dtype=self.dtype, name=name)

    def _heads(self, name: str, **fields: Any) -> MultiHeadDotProductAttention:
        defaults = {
            "dropout_rate": self.attention_dropout_rate,
            "kernel_init": nn.initializers.lecun_normal(),
            "out_kernel_init": nn.initializers.lecun_normal(),
            "attention": self.attention,
            "dtype": self.dtype,
        }
        return MultiHeadDotProductAttention(**(defaults | fields), name=name)

    def _dropout(self, branch: Array, *, train: bool) -> Array:
        return nn.Dropout(self.dropout_rate, deterministic=not train)(branch)

    def _drop_for_whole_examples(self, branch: Array, *, view: int, train: bool) -> Array:
        return StochasticDepth(self.stochastic_depth_rates[view])(branch, train=train)


class FusedMlpBlock(MlpBlock):
    """An MLP over tokens and the aligned tokens of another view, concatenated over channels.

    A Dense layer over a concatenation is the sum of two Dense layers: `Dense_0` for the view's own
    tokens, as in a plain block, and `fusion` (no bias, initialised with zeros) for the other's.
    """

    @nn.compact
    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        tokens: Float[Array, "*batch n d"],
        other: Float[Array, "*batch n e"],
        *,
        train: bool = False,
    ) -> Float[Array, "*batch n d"]:
        fusion = nn.Dense(
            self.mlp_dim,
            use_bias=False,
            kernel_init=nn.initializers.zeros,
            dtype=self.dtype,
            name="fusion",
        )
        hidden = self._dense(self.mlp_dim, "Dense_0")(tokens) + fusion(other)
        hidden = nn.gelu(hidden, approximate=True)
        hidden = nn.Dropout(self.dropout_rate, deterministic=not train)(hidden)
        output = self._dense(tokens.shape[-1], "Dense_1")(hidden)
        return nn.Dropout(self.dropout_rate, deterministic=not train)(output)


class MlpFusionBlock(EncoderBlock):
    """An encoder block whose MLP may also take another view's tokens (figure 2c).

    `align` maps these to the grid of the block's own tokens; where an example lacks that view
    (`present`), the MLP gets zeros. Returns the tokens after the block, and the tokens between
    attention and MLP, which the next view takes. Parameters are those of an `EncoderBlock`, plus
    `fusion_ln` and `MlpBlock_0/fusion` if there is another view.
    """

    align: Callable[..., Array] = jnp.asarray

    @nn.compact
    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        tokens: Float[Array, "b *frames n d"],
        other: Float[Array, "b *frames m e"] | None = None,
        present: Bool[Array, " b"] | None = None,
        *,
        train: bool = False,
    ) -> tuple[Float[Array, "b *frames n d"], Float[Array, "b *frames n d"]]:
        attended = self._attend(
            tokens, norm="LayerNorm_0", name="MultiHeadDotProductAttention_0", train=train
        )
        names = {"norm": "LayerNorm_1", "name": "MlpBlock_0"}
        if other is None:
            return self._apply_mlp(attended, train=train, **names), attended
        own = nn.LayerNorm(dtype=self.dtype, name=names["norm"])(attended)
        other = self.align(nn.LayerNorm(dtype=self.dtype, name="fusion_ln")(other))
        other = where_present(present, other)
        mlp = FusedMlpBlock(
            self.mlp_dim, dropout_rate=self.dropout_rate, dtype=self.dtype, name=names["name"]
        )
        branch = mlp(own, other, train=train)
        return attended + self._drop_for_whole_examples(branch, train=train), attended


def align_tokens(
    tokens: Float[Array, "*batch n d"],
    *,
    source: Sequence[int],
    target: Sequence[int],
    class_tokens: bool,
    same_space: bool = True,
) -> Float[Array, "*batch m d"]:
    """Tokens over a grid `source` (t, h, w) as tokens over `target`, both of the same extent.

    Each target cell is the mean of the source cells that it covers, weighted by overlap: a coarser
    grid averages, a finer one repeats. With `class_tokens` each time step starts with a class
    token, which is aligned only over time. Grids without a common space (`same_space=False`, such
    as mel bins and pixels) are also aligned only over time, by their mean over space.
    """
    frames = rearrange(tokens, "... (t n) d -> ... t n d", t=source[0])
    frames = _overlap_mean(frames, axis=-3, length=target[0])
    classes, patches = frames[..., : int(class_tokens), :], frames[..., int(class_tokens) :, :]
    patches = rearrange(patches, "... (h w) d -> ... h w d", h=source[1])
    if not same_space:
        patches = patches.mean(axis=(-3, -2), keepdims=True)
    patches = _overlap_mean(patches, axis=-3, length=target[1])
    patches = _overlap_mean(patches, axis=-2, length=target[2])
    patches = rearrange(patches, "... h w d -> ... (h w) d")
    aligned = jnp.concatenate([classes, patches], axis=-2)
    return rearrange(aligned, "... t n d -> ... (t n) d")


def _overlap_mean(cells: Array, *, axis: int, length: int) -> Array:
    present = cells.shape[axis]
    if present == length:
        return cells
    common = math.lcm(present, length)
    cell_of = {count: np.arange(common) * count // common for count in (present, length)}
    overlap = np.zeros((length, present), np.float32)
    np.add.at(overlap, (cell_of[length], cell_of[present]), length / common)
    mean = jnp.tensordot(jnp.asarray(overlap, cells.dtype), cells, axes=(1, axis % cells.ndim))
    return jnp.moveaxis(mean, 0, axis)
