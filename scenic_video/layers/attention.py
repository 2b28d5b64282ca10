"""Dot-product attention: one function for all kernels, and the multi-head module around it."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
from einops import repeat
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Key

from scenic_video.errors import UserError

AttentionImplementation = Literal["auto", "xla", "cudnn"]


def attention(
    query: Float[Array, "*batch q heads depth"],
    key: Float[Array, "*batch k heads depth"],
    value: Float[Array, "*batch k heads depth"],
    *,
    key_mask: Bool[Array, "*batch k"] | None = None,
    logit_cap: float | None = None,
    implementation: str = "auto",
    dropout_rate: float = 0.0,
    dropout_rng: Key[Array, ""] | None = None,
) -> Float[Array, "*batch q heads depth"]:
    """softmax(query key^T / sqrt(depth)) value, with the softmax in float32.

    It takes many parameters because it is the only attention of all models.
    `key_mask` is True for the keys to attend to; if there are none, all have equal weights.
    `logit_cap` c replaces each logit x by c tanh(x / c), whose magnitude is below c.
    `implementation` is "xla", "cudnn" or "auto", which uses cuDNN's fused kernel if `why_not`
    returns None. Errors: UserError for one that cannot run here. `dropout_rate` applies to
    probabilities, and needs `dropout_rng`.
    """
    given = Conditions(
        dtype=query.dtype,
        depth=query.shape[-1],
        dropout_rate=dropout_rate,
        masked=None if key_mask is None else (query.shape[-3], key.shape[-3]),
        capped=logit_cap is not None,
        **_device_conditions(),
    )
    if implementation == "auto":
        implementation = "xla" if why_not("cudnn", given) else "cudnn"
    elif reason := why_not(implementation, given):
        raise UserError(f"Attention cannot use {implementation!r}: {reason} Use 'auto' or 'xla'.")
    if implementation == "cudnn":
        return _cudnn_attention(query, key, value, key_mask)
    logits = _logits(query, key)
    if logit_cap is not None:
        logits = logit_cap * jnp.tanh(logits / logit_cap)
    return _mix(logits, value, key_mask, dropout_rate=dropout_rate, dropout_rng=dropout_rng)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Conditions:
    """What the choice of a kernel depends on.

    `platform` is "cpu", "cuda", "rocm" or "tpu"; `depth` is the width of one head; `token_shards`
    is the number of devices that the tokens of an example are split over; `masked` is the shape of
    the mask, (queries, keys), or None without a mask; `capped` is whether logits have a cap.
    """

    platform: str
    dtype: DTypeLike
    depth: int
    dropout_rate: float = 0.0
    compute_capability: float = 0.0
    token_shards: int = 1
    masked: tuple[int, int] | None = None
    capped: bool = False


def why_not(implementation: str, given: Conditions) -> str | None:
    """Why an implementation cannot run under these conditions, as a sentence; None if it can."""
    if implementation == "xla":
        return None
    if implementation != "cudnn":
        known = get_args(AttentionImplementation)
        return f"there is no such implementation; choose one of {known}."
    if given.platform != "cuda":
        return f"cuDNN needs an NVIDIA GPU and this process runs on {given.platform}."
    if jnp.dtype(given.dtype) not in (jnp.bfloat16, jnp.float16):
        return f"cuDNN needs bfloat16 or float16, not {jnp.dtype(given.dtype).name}."
    depth, limit = given.depth, 256 if given.compute_capability >= 9 else 128
    if depth % 8 or depth > limit:
        return f"cuDNN needs a head width that is a multiple of 8, up to {limit}; it is {depth}."
    if given.dropout_rate:
        return "cuDNN is not used with dropout on the probabilities."
    if given.capped:
        return "cuDNN cannot cap the logits."
    if (shards := given.token_shards) > 1:
        return f"cuDNN needs whole sequences, but tokens are split over {shards} devices."
    if given.masked and any(length % 2 for length in given.masked):
        return "cuDNN needs masks of even lengths; this one is {} x {}.".format(*given.masked)
    return None


class MultiHeadDotProductAttention(nn.Module):
    """Multi-head attention of `queries` over `keys_values` (themselves if not given).

    Parameters are `query`, `key`, `value` [width, heads, depth] and `out` [heads, depth, width];
    heads x depth is `qkv_features`, by default the width of the queries.
    `attention` is a function with the signature of `attention` in this module. It gets all leading
    axes, so that it can attend along any of them. `key_mask` (True for the keys to attend to) is
    passed to it only if given.
    """

    num_heads: int
    qkv_features: int | None = None
    dropout_rate: float = 0.0
    kernel_init: Callable[..., Array] = nn.initializers.xavier_uniform()
    out_kernel_init: Callable[..., Array] = nn.initializers.xavier_uniform()
    attention: Callable[..., Any] = attention
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        queries: Float[Array, "*batch q d"],
        keys_values: Float[Array, "*batch k e"] | None = None,
        *,
        key_mask: Bool[Array, "*batch k"] | None = None,
        train: bool = False,
    ) -> Float[Array, "*batch q d"]:
        keys_values = queries if keys_values is None else keys_values
        width = self.qkv_features or queries.shape[-1]
        query = self._project("query", queries, width=width)
        key = self._project("key", keys_values, width=width)
        value = self._project("value", keys_values, width=width)
        dropout_rate = self.dropout_rate if train else 0.0
        mixed = self.attention(
            query,
            key,
            value,
            dropout_rate=dropout_rate,
            dropout_rng=self.make_rng("dropout") if dropout_rate else None,
            **({} if key_mask is None else {"key_mask": key_mask}),
        )
        return nn.DenseGeneral(
            queries.shape[-1],
            axis=(-2, -1),
            kernel_init=self.out_kernel_init,
            dtype=self.dtype,
            name="out",
        )(mixed)

    def _project(self, name: str, tokens: Array, *, width: int) -> Array:
        if width % self.num_heads:
            raise UserError(
                f"A width of {width} is not divisible by {self.num_heads} heads. "
                "Set hidden_size to a multiple of num_heads."
            )
        return nn.DenseGeneral(
            (self.num_heads, width // self.num_heads),
            kernel_init=self.kernel_init,
            dtype=self.dtype,
            name=name,
        )(tokens)


def _logits(query: Array, key: Array) -> Array:
    """query key^T / sqrt(depth), in float32."""
    # A power of two scales the query without rounding, which is cheaper than scaling the logits.
    scale = query.shape[-1] ** -0.5
    scale_query = query.dtype == jnp.float32 or math.frexp(scale)[0] == 0.5
    # Without this, accumulating in float32 would make the products of the backward pass float32
    # as well (jax#24047).
    precision = jax.lax.DotAlgorithmPreset.BF16_BF16_F32 if query.dtype == jnp.bfloat16 else None
    logits = jnp.einsum(
        "...qhd,...khd->...hqk",
        query * jnp.asarray(scale, query.dtype) if scale_query else query,
        key,
        precision=precision,
        preferred_element_type=jnp.float32,
    )
    return logits if scale_query else logits * scale


def _mix(
    logits: Array,
    value: Array,
    key_mask: Array | None,
    *,
    dropout_rate: float,
    dropout_rng: Array | None,
) -> Array:
    """softmax(logits) value."""
    if key_mask is not None:
        allowed = jnp.broadcast_to(key_mask[..., None, None, :], logits.shape)
        logits = jnp.where(allowed, logits, jnp.finfo(logits.dtype).min)
    weights = jax.nn.softmax(logits, axis=-1)
    if dropout_rate:
        if dropout_rng is None:
            raise UserError("Dropout in attention needs a dropout_rng.")
        kept = jax.random.bernoulli(dropout_rng, 1 - dropout_rate, weights.shape)
        weights = jnp.where(kept, weights / (1 - dropout_rate), 0.0)
    return jnp.einsum("...hqk,...khd->...qhd", weights.astype(value.dtype), value)


def _cudnn_attention(query: Array, key: Array, value: Array, key_mask: Array | None) -> Array:
    folded = [x.reshape(-1, *x.shape[-3:]) for x in (query, key, value)]
    mask = None
    if key_mask is not None:
        mask = repeat(key_mask.reshape(-1, key.shape[-3]), "b k -> b 1 q k", q=query.shape[-3])
    mixed = jax.nn.dot_product_attention(*folded, mask=mask, implementation="cudnn")
    return mixed.reshape(query.shape)


def _device_conditions() -> dict[str, Any]:
    device = jax.devices()[0]
    platform = device.platform
    if platform == "gpu":
        platform = "cuda" if "cuda" in device.client.platform_version else "rocm"
    return {
        "platform": platform,
        "compute_capability": float(device.compute_capability) if platform == "cuda" else 0.0,
        "token_shards": jax.sharding.get_abstract_mesh().shape.get("seq", 1),
    }
