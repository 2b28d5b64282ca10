"""Pools tokens to one feature vector per example, and computes logits."""

import functools
import math
from typing import Any, Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from scenic_video.errors import UserError
from scenic_video.layers.attention import MultiHeadDotProductAttention, attention
from scenic_video.layers.norms import OffsetLayerNorm
from scenic_video.layers.transformer import MlpBlock

TokenPooling = Literal["gap", "gmp", "gsp"]
"""The mean, maximum or sum over tokens."""

Classifier = Literal["token", "0", TokenPooling]
"""How tokens become one vector; see `pool`."""


def prepend_class_token(
    tokens: Float[Array, "*batch n d"], token: Float[Array | np.ndarray, "1 1 d"]
) -> Float[Array, "*batch n+1 d"]:
    """Puts one learned token in front of every sequence."""
    shape = (*tokens.shape[:-2], 1, tokens.shape[-1])
    token = jnp.broadcast_to(jnp.asarray(token[0], tokens.dtype), shape)
    return jnp.concatenate([token, tokens], axis=-2)


def pool(
    tokens: Float[Array, "*batch n d"],
    classifier: str,
    *,
    mask: Bool[Array, "*batch n"] | None = None,
) -> Float[Array, "*batch d"]:
    """One vector for every sequence.

    "token" and "0" take the first token (a class token, or simply the first patch); "gap", "gmp"
    and "gsp" the mean, maximum and sum over all tokens, or only those where `mask` is True (at
    least one); see also `MAPHead`.
    """
    where = None if mask is None else jnp.broadcast_to(mask[..., None], tokens.shape)
    match classifier:
        case "token" | "0":
            return tokens[..., 0, :]
        case "gap":
            return tokens.mean(axis=-2, where=where)
        case "gmp":
            return tokens.max(axis=-2, where=where, initial=None if where is None else -jnp.inf)
        case "gsp":
            return tokens.sum(axis=-2, where=where)
    raise UserError(f"classifier is {classifier!r}, not one of {get_args(Classifier)}.")


class MAPHead(nn.Module):
    """Multi-head attention pooling: one learned probe attends over the tokens, then an MLP.

    Zhai et al., Scaling Vision Transformers, appendix; Lee et al., Set Transformer, eq. 11.
    """

    mlp_dim: int
    num_heads: int
    exact_gelu: bool = False
    norm_epsilon: float = 1e-6
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, tokens: Float[Array, "b n d"]) -> Float[Array, "b d"]:
        batch, _, width = tokens.shape
        probe = self.param("probe", nn.initializers.xavier_uniform(), (1, 1, width))
        pooled = MultiHeadDotProductAttention(
            self.num_heads, dtype=self.dtype, name="MultiHeadDotProductAttention_0"
        )(jnp.broadcast_to(probe, (batch, 1, width)), tokens)
        branch = nn.LayerNorm(self.norm_epsilon, dtype=self.dtype, name="LayerNorm_0")(pooled)
        branch = MlpBlock(
            self.mlp_dim, exact_gelu=self.exact_gelu, dtype=self.dtype, name="MlpBlock_0"
        )(branch)
        return (pooled + branch)[:, 0].astype(jnp.float32)


class AttentionPooler(nn.Module):
    """One learned `query` [1, 1, d] attends over the tokens, and a LayerNorm follows.

    Query, key and value have `qkv_features` in all heads. The query is multiplied by
    softplus(`per_dim_scale`) / softplus(0) before the usual 1 / sqrt(depth), as in VideoPrism.
    """

    qkv_features: int
    num_heads: int
    norm_epsilon: float = 1e-6
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, tokens: Float[Array, "b n d"]) -> Float[Array, "b d"]:
        batch, _, width = tokens.shape
        query = self.param("query", nn.initializers.lecun_normal(), (1, 1, width))
        depth = self.qkv_features // self.num_heads
        scale = self.param("per_dim_scale", nn.initializers.zeros, (depth,))
        attend = MultiHeadDotProductAttention(
            self.num_heads,
            qkv_features=self.qkv_features,
            attention=functools.partial(_attention_of_scaled, jax.nn.softplus(scale) / math.log(2)),
            dtype=self.dtype,
            name="MultiHeadDotProductAttention_0",
        )
        pooled = attend(jnp.broadcast_to(query, (batch, 1, width)), tokens)[:, 0]
        return OffsetLayerNorm(self.norm_epsilon, name="LayerNorm_0")(pooled)


def _attention_of_scaled(
    scale: Float[Array, " depth"], query: Float[Array, "..."], *args: Any, **fields: Any
) -> Float[Array, "..."]:
    """Attention with a query that is multiplied by `scale`."""
    return attention(
        query * jnp.broadcast_to(scale.astype(query.dtype), query.shape), *args, **fields
    )


def classify(
    features: Float[Array, "b d"],
    num_classes: int,
    *,
    representation_size: int | None = None,
    bias_init: float = 0.0,
) -> Float[Array, "b c"]:
    """Float32 logits from a zero-initialised `output_projection` with bias `bias_init`.

    `representation_size` adds a tanh layer `pre_logits` before it. Call this inside a compact
    module, which then owns the layers.
    """
    if representation_size is not None:
        features = nn.tanh(nn.Dense(representation_size, name="pre_logits")(features))
    return nn.Dense(
        num_classes,
        kernel_init=nn.initializers.zeros,
        bias_init=nn.initializers.constant(bias_init),
        name="output_projection",
    )(features)
