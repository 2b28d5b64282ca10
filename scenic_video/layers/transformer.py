"""The pre-norm transformer encoder that all models use."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from scenic_video.config import check_fields
from scenic_video.field_types import ShareBelowOne
from scenic_video.layers.attention import MultiHeadDotProductAttention, attention
from scenic_video.layers.positions import SequencePositions, add_positions


class StochasticDepth(nn.Module):
    """Drops a residual branch for whole examples (axis 0) with probability `rate` in training.

    Kept branches are divided by 1 - rate, so that their expectation equals their value in
    evaluation; `rescale=False` turns this off, as in the training of the public ViViT and MBT.
    Huang et al., Deep Networks with Stochastic Depth, eq. 2.
    """

    rate: ShareBelowOne
    rescale: bool = True

    def __post_init__(self):
        super().__post_init__()
        check_fields(self)

    @nn.compact
    def __call__(self, branch: Float[Array, "b ..."], *, train: bool = False) -> Array:
        if not train or not self.rate:
            return branch
        one_per_example = (branch.shape[0],) + (1,) * (branch.ndim - 1)
        kept = jax.random.bernoulli(self.make_rng("dropout"), 1 - self.rate, one_per_example)
        scale = 1 / (1 - self.rate) if self.rescale else 1.0
        return branch * (kept * scale).astype(branch.dtype)


class MlpBlock(nn.Module):
    """Dense to `mlp_dim`, GELU, Dense back, with dropout after each.

    `output_dim` is the width of the output, by default that of the input. GELU is the tanh
    approximation unless `exact_gelu` is set; they differ by up to 5e-4.
    """

    mlp_dim: int
    dropout_rate: float = 0.0
    output_dim: int | None = None
    exact_gelu: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, tokens: Float[Array, "*batch d"], *, train: bool = False
    ) -> Float[Array, "*batch e"]:
        hidden = self._dense(self.mlp_dim, "Dense_0")(tokens)
        hidden = nn.gelu(hidden, approximate=not self.exact_gelu)
        hidden = nn.Dropout(self.dropout_rate, deterministic=not train)(hidden)
        output = self._dense(self.output_dim or tokens.shape[-1], "Dense_1")(hidden)
        return nn.Dropout(self.dropout_rate, deterministic=not train)(output)

    def _dense(self, features: int, name: str) -> nn.Dense:
        return nn.Dense(
            features,
            kernel_init=nn.initializers.xavier_uniform(),
            bias_init=nn.initializers.normal(1e-6),
            dtype=self.dtype,
            name=name,
        )


class EncoderBlock(nn.Module):
    """Self-attention over the last token axis and an MLP, each with a LayerNorm before it and a
    residual connection.

    Dosovitskiy et al., An Image is Worth 16x16 Words, eq. 2 and 3. With a `key_mask`, tokens attend
    only to those where it is True.
    """

    mlp_dim: int
    num_heads: int
    dropout_rate: float = 0.0
    attention_dropout_rate: float = 0.0
    stochastic_depth_rate: float = 0.0
    rescale_kept_branches: bool = True
    exact_gelu: bool = False
    norm_epsilon: float = 1e-6
    layer_norm: Callable[..., nn.Module] = nn.LayerNorm
    attention: Callable[..., Any] = attention
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        tokens: Float[Array, "b *frames n d"],
        *,
        key_mask: Bool[Array, "b *frames n"] | None = None,
        train: bool = False,
    ) -> Float[Array, "b *frames n d"]:
        tokens = self._attend(
            tokens,
            norm="LayerNorm_0",
            name="MultiHeadDotProductAttention_0",
            key_mask=key_mask,
            train=train,
        )
        return self._apply_mlp(tokens, norm="LayerNorm_1", name="MlpBlock_0", train=train)

    def _attend(
        self,
        tokens: Array,
        *,
        norm: str,
        name: str,
        key_mask: Array | None = None,
        train: bool,
        **fields: Any,
    ) -> Array:
        """tokens + attention(LayerNorm(tokens)), under the given parameter names."""
        branch = self._normalize(tokens, name=norm)
        branch = MultiHeadDotProductAttention(
            self.num_heads,
            dropout_rate=self.attention_dropout_rate,
            attention=self.attention,
            dtype=self.dtype,
            name=name,
            **fields,
        )(branch, key_mask=key_mask, train=train)
        branch = nn.Dropout(self.dropout_rate, deterministic=not train)(branch)
        return tokens + self._drop_for_whole_examples(branch, train=train)

    def _apply_mlp(self, tokens: Array, *, norm: str, name: str, train: bool) -> Array:
        """tokens + MLP(LayerNorm(tokens)), under the given parameter names."""
        branch = self._normalize(tokens, name=norm)
        mlp = MlpBlock(
            self.mlp_dim,
            dropout_rate=self.dropout_rate,
            exact_gelu=self.exact_gelu,
            dtype=self.dtype,
            name=name,
        )
        return tokens + self._drop_for_whole_examples(mlp(branch, train=train), train=train)

    def _normalize(self, tokens: Array, *, name: str) -> Array:
        norm: Any = self.layer_norm(self.norm_epsilon, dtype=self.dtype, name=name)
        return norm(tokens)

    def _drop_for_whole_examples(self, branch: Array, *, train: bool) -> Array:
        drop = StochasticDepth(self.stochastic_depth_rate, self.rescale_kept_branches)
        return drop(branch, train=train)


ENCODER_BLOCK = r"encoderblock_(\d+)"
"""The name of a block in an `Encoder`; the group is its number."""

POSITION_TABLES = r"(^|/)posembed_input[^/]*/"
"""The learned positions before an encoder."""


class Encoder(nn.Module):
    """Positions, dropout, `num_layers` blocks and a LayerNorm, over tokens [b, ..., n, d].

    `block` makes one block from keywords `stochastic_depth_rate` and `name`, for instance
    `functools.partial(EncoderBlock, mlp_dim=3072, num_heads=12)`. Its rate grows linearly from 0
    at the first block to `stochastic_depth_rate` at the last. `positions` is "learned",
    "sinusoidal_1d" or "none". The residual stream and the output are float32, whatever the blocks
    compute in. `remat` recomputes each block in the backward pass instead of keeping its
    activations; parameters and results stay the same. `normalize=False` leaves out the LayerNorm.
    `key_mask`, True for the tokens to attend to, is passed to the blocks only if it is given.
    """

    num_layers: int
    block: Callable[..., nn.Module]
    positions: SequencePositions = "learned"
    dropout_rate: float = 0.0
    stochastic_depth_rate: float = 0.0
    remat: bool = False
    normalize: bool = True
    norm_epsilon: float = 1e-6
    layer_norm: Callable[..., nn.Module] = nn.LayerNorm

    @nn.compact
    def __call__(
        self,
        tokens: Float[Array, "b *frames n d"],
        *,
        key_mask: Bool[Array, "b *frames n"] | None = None,
        train: bool = False,
    ) -> Float[Array, "b *frames m d"]:
        tokens = add_positions(tokens, self.positions, name="posembed_input")
        tokens = nn.Dropout(self.dropout_rate, deterministic=not train)(tokens)

        run = block_runner(train=train, remat=self.remat)
        for layer, rate in enumerate(self._stochastic_depth_rates()):
            block = self.block(stochastic_depth_rate=rate, name=f"encoderblock_{layer}")
            apply = functools.partial(run, block, key_mask=key_mask)
            tokens = self._pass(layer, apply, tokens, train=train)
        norm: Any = self.layer_norm(self.norm_epsilon, name="encoder_norm")
        return norm(tokens) if self.normalize else tokens

    def _pass(
        self, layer: int, block: Callable[[Array], Array], tokens: Array, *, train: bool
    ) -> Array:
        """Applies a layer; overridden by encoders that do more than a block."""
        return block(tokens)

    def _stochastic_depth_rates(self) -> list[float]:
        last = max(self.num_layers - 1, 1)
        return [self.stochastic_depth_rate * layer / last for layer in range(self.num_layers)]


def block_runner(*, train: bool, remat: bool) -> Callable[..., Any]:
    """A function (block, *inputs, key_mask=None) -> output of the block. With `remat`, the block is
    computed again in the backward pass. `key_mask` is passed to the block only if given."""

    def run(block: nn.Module, key_mask: Array | None, *inputs: Any) -> Any:
        masked = {} if key_mask is None else {"key_mask": key_mask}
        return block(*inputs, train=train, **masked)  # pyright: ignore[reportCallIssue]

    run = nn.remat(run) if remat else run
    return lambda block, *inputs, key_mask=None: run(block, key_mask, *inputs)
