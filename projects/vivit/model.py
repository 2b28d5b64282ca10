"""ViViT: A Video Vision Transformer (Arnab et al., ICCV 2021): its four models, the baseline that
averages frames, and the image transformer that they are initialised from.

Axes: b examples, t time, h rows, w columns, n tokens, d width, c classes. Parameters carry the
names of the public checkpoints.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
from einops import rearrange
from jaxtyping import Array, Float

from scenic_video.config import require
from scenic_video.field_types import Pair, PositiveInt, Triple
from scenic_video.layers.embeddings import KernelStart
from scenic_video.layers.factorised import FactorisedSelfAttentionBlock, factorised_attention
from scenic_video.layers.layer_order import EncoderLayers
from scenic_video.layers.pooling import Classifier, MAPHead, TokenPooling, pool
from scenic_video.layers.vision_transformer import VisionTransformer

STARTS_BY = "projects.vivit.pretrained:start"
"""The function that initialises these models from other weights, if the config names none."""


class ViT(VisionTransformer, kw_only=True):
    """The image transformer (Dosovitskiy et al., ICLR 2021), over patches of `patch_size` (h, w).

    Takes images [b, h, w, 3] or videos of one frame. `classifier` "map" is attention pooling.
    `distillation_token` adds a second learned token after the class token, which the head does not
    read (Touvron et al., Training data-efficient image transformers, section 3).
    """

    patch_size: Pair = (16, 16)
    classifier: Literal[Classifier, "map"] = "token"
    distillation_token: bool = False

    after_layers = rf"^MAPHead_0/|{VisionTransformer.after_layers}"
    starts_by = STARTS_BY

    def __post_init__(self):
        super().__post_init__()
        if self.distillation_token:
            wanted = {"classifier='token' if distillation_token is set": self.classifier == "token"}
            require(wanted, of=self)

    @nn.compact
    def __call__(
        self, *, rgb: Float[Array, "b *one_frame h w 3"], train: bool = False
    ) -> Float[Array, "b c"]:
        tokens = self._embed_images(rgb, self.patch_size)
        grid = tokens.shape[1:3]
        tokens = rearrange(tokens, "b h w d -> b (h w) d")
        tokens = self._encode(tokens, grid=grid, block=self._block(), train=train)
        if self.classifier == "map":
            head = MAPHead(
                self.mlp_dim,
                self.num_heads,
                exact_gelu=self.exact_gelu,
                norm_epsilon=self.norm_epsilon,
                dtype=self.dtype,
                name="MAPHead_0",
            )
            return self._classify(head(tokens), train=train)
        return self._classify(pool(tokens, self.classifier), train=train)


class _VideoTransformer(VisionTransformer, kw_only=True):
    """A transformer over clips [b, t, h, w, 3], cut into tubelets of `tubelet_size` (t, h, w).

    `tubelet_start` initialises the kernel: "random" over the whole tubelet, or "central_frame" or
    "filter_inflation" of an image kernel. `uniform_frames` embeds that many evenly spaced
    frames one by one instead (section 3.2); tubelet_size is then (1, h, w).
    """

    tubelet_size: Triple = (2, 16, 16)
    tubelet_start: KernelStart = "random"
    uniform_frames: PositiveInt | None = None

    starts_by = STARTS_BY

    def _tokenize(self, rgb: Float[Array, "b t h w 3"]) -> Float[Array, "b s r q d"]:
        return self._embed_clips(rgb, self.tubelet_size, self.tubelet_start, self.uniform_frames)


class SpatioTemporalAttention(_VideoTransformer, kw_only=True):
    """Model 1: every tubelet attends to every other; attention costs (t h w)^2."""

    @nn.compact
    def __call__(
        self, *, rgb: Float[Array, "b t h w 3"], train: bool = False
    ) -> Float[Array, "b c"]:
        tokens = self._tokenize(rgb)
        grid = tokens.shape[1:4]
        block = self._block_over(num_frames=grid[0])
        tokens = rearrange(tokens, "b t h w d -> b (t h w) d")
        tokens = self._encode(tokens, grid=grid, block=block, train=train)
        return self._classify(pool(tokens, self.classifier), train=train)

    def _block_over(self, num_frames: int) -> Callable[..., Any]:
        """Makes one block over sequences of `num_frames` flattened frames."""
        return self._block()


class _FrameTransformer(_VideoTransformer, kw_only=True):
    """A transformer over each frame (of tubelets) separately, with shared weights."""

    def _encoder_layers(self) -> list[EncoderLayers]:
        block = r"^SpatialTransformer/encoderblock_(\d+)"
        return [EncoderLayers(self.num_layers, block, self.before_layers)]

    def _encode_frames(
        self, rgb: Float[Array, "b t h w 3"], *, train: bool
    ) -> Float[Array, "b s d"]:
        tokens = self._tokenize(rgb)
        grid = tokens.shape[2:4]
        frames = self._encode(
            rearrange(tokens, "b t h w d -> b t (h w) d"),
            grid=grid,
            block=self._block(),
            train=train,
            name="SpatialTransformer",
            class_token="cls_SpatialTransformer",
        )
        return pool(frames, self.classifier)


class FrameAverage(_FrameTransformer, kw_only=True):
    """The baseline without a temporal model ("average pool" in table 2): mean of the frames."""

    @nn.compact
    def __call__(
        self, *, rgb: Float[Array, "b t h w 3"], train: bool = False
    ) -> Float[Array, "b c"]:
        features = self._encode_frames(rgb, train=train).mean(axis=1)
        return self._classify(features, train=train)


class FactorisedEncoder(_FrameTransformer, kw_only=True):
    """Model 2: a transformer over every frame, then one over the frames' vectors.

    Attention costs t (h w)^2 + t^2. The temporal transformer has `temporal_num_layers`, and the
    mlp_dim and num_heads of the spatial one unless given its own.
    """

    temporal_num_layers: PositiveInt = 4
    temporal_mlp_dim: PositiveInt | None = None
    temporal_num_heads: PositiveInt | None = None

    def _encoder_layers(self) -> list[EncoderLayers]:
        block = r"^TemporalTransformer/encoderblock_(\d+)"
        before = r"^(cls_TemporalTransformer$|TemporalTransformer/posembed_input/)"
        return [
            *super()._encoder_layers(),
            EncoderLayers(self.temporal_num_layers, block, before),
        ]

    @nn.compact
    def __call__(
        self, *, rgb: Float[Array, "b t h w 3"], train: bool = False
    ) -> Float[Array, "b c"]:
        frames = self._encode_frames(rgb, train=train)
        block = self._block(
            mlp_dim=self.temporal_mlp_dim or self.mlp_dim,
            num_heads=self.temporal_num_heads or self.num_heads,
        )
        tokens = self._encode(
            frames,
            grid=frames.shape[1:2],
            block=block,
            train=train,
            num_layers=self.temporal_num_layers,
            name="TemporalTransformer",
            class_token="cls_TemporalTransformer",
        )
        return self._classify(pool(tokens, self.classifier), train=train)


class FactorisedSelfAttention(SpatioTemporalAttention, kw_only=True):
    """Model 3: in every block, attention over time and over space one after the other.

    Attention costs t (h w)^2 + h w t^2. `attention_order` is "time_space" or "space_time".
    `time_attention_start` "zero" zeroes the output kernel of attention over time, so that blocks
    start out equal to those of an image model; "xavier" is random. There is no class token.
    """

    classifier: TokenPooling = "gap"
    attention_order: Literal["time_space", "space_time"] = "time_space"
    time_attention_start: Literal["zero", "xavier"] = "zero"

    def _block_over(self, num_frames: int) -> Callable[..., Any]:
        zero = self.time_attention_start == "zero"
        return self._block(
            FactorisedSelfAttentionBlock,
            num_frames=num_frames,
            order=tuple(self.attention_order.split("_")),
            time_out_kernel_init=nn.initializers.zeros
            if zero
            else nn.initializers.xavier_uniform(),
        )


class FactorisedDotProduct(SpatioTemporalAttention, kw_only=True):
    """Model 4: in every layer, half the heads attend over time and half over space.

    Attention costs half of (t (h w)^2 + h w t^2), with the parameters of model 1. There is no
    class token.
    """

    classifier: TokenPooling = "gap"

    def __post_init__(self):
        super().__post_init__()
        require({"an even num_heads": self.num_heads % 2 == 0}, of=self)

    def _block_over(self, num_frames: int) -> Callable[..., Any]:
        fields = {"num_frames": num_frames, "implementation": self.attention_implementation}
        return self._block(attention=functools.partial(factorised_attention, **fields))
