"""The encoders and decoders of a masked autoencoder, by their sizes and rates."""

import functools
from typing import Any, Literal

import flax.linen as nn
from flax.core import FrozenDict

from scenic_video.config import check_fields
from scenic_video.field_types import ComputeDtype, Positive, PositiveInt, ShareBelowOne
from scenic_video.layers.attention import AttentionImplementation, attention
from scenic_video.layers.sharding_rules import TRANSFORMER_RULES
from scenic_video.layers.transformer import Encoder, EncoderBlock


class EncoderDecoder(nn.Module, kw_only=True):
    """The base of a model of transformers that encode tokens, and others that decode them.

    `normalize` adds a LayerNorm at the end of each encoder and decoder, or only of each "decoder".
    Dropout and stochastic depth apply to the encoders. Other fields are those of
    `VisionTransformer`.
    """

    hidden_size: PositiveInt
    mlp_dim: PositiveInt
    num_layers: PositiveInt
    num_heads: PositiveInt
    decoder_hidden_size: PositiveInt
    decoder_mlp_dim: PositiveInt
    decoder_num_layers: PositiveInt
    decoder_num_heads: PositiveInt
    normalize: bool | Literal["decoder"] = True
    dropout_rate: ShareBelowOne = 0.0
    attention_dropout_rate: ShareBelowOne = 0.0
    stochastic_depth_rate: ShareBelowOne = 0.0
    rescale_kept_branches: bool = True
    exact_gelu: bool = False
    norm_epsilon: Positive = 1e-6
    attention_implementation: AttentionImplementation = "auto"
    dtype: ComputeDtype = "float32"
    remat: bool = False

    sharding_rules = TRANSFORMER_RULES

    def __post_init__(self):
        for name, value in list(vars(self).items()):
            if isinstance(value, list):  # as JSON gives it; a module must be hashable
                object.__setattr__(self, name, tuple(value))
            elif isinstance(value, dict):
                object.__setattr__(self, name, FrozenDict(value))
        super().__post_init__()
        check_fields(self)

    def _encoder(self, name: str, num_layers: int | None = None) -> Encoder:
        block = self._block(
            self.mlp_dim,
            self.num_heads,
            dropout_rate=self.dropout_rate,
            attention_dropout_rate=self.attention_dropout_rate,
            rescale_kept_branches=self.rescale_kept_branches,
        )
        return Encoder(
            num_layers=self.num_layers if num_layers is None else num_layers,
            block=block,
            positions="none",
            dropout_rate=self.dropout_rate,
            stochastic_depth_rate=self.stochastic_depth_rate,
            remat=self.remat,
            normalize=self.normalize is True,
            norm_epsilon=self.norm_epsilon,
            name=name,
        )

    def _decoder(self, name: str) -> Encoder:
        block = self._block(self.decoder_mlp_dim, self.decoder_num_heads)
        return Encoder(
            self.decoder_num_layers,
            block,
            positions="none",
            remat=self.remat,
            normalize=bool(self.normalize),
            norm_epsilon=self.norm_epsilon,
            name=name,
        )

    def _block(self, mlp_dim: int, num_heads: int, **fields: Any) -> Any:
        attend = functools.partial(attention, implementation=self.attention_implementation)
        fields |= {
            "attention": attend,
            "dtype": self.dtype,
            "exact_gelu": self.exact_gelu,
            "norm_epsilon": self.norm_epsilon,
        }
        return functools.partial(EncoderBlock, mlp_dim=mlp_dim, num_heads=num_heads, **fields)
