"""TokenLearner: What Can 8 Learned Tokens Do for Images and Videos? (Ryoo et al., NeurIPS 2021):
transformers whose first layers process all tokens of an image or clip, and later ones a few learned
tokens.

Axes: b examples, t time, h rows, w columns, n tokens, s learned tokens, d width, c classes.
Parameters carry the names of the public checkpoints.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import flax.linen as nn
from einops import rearrange
from jaxtyping import Array, Float

from scenic_video.config import is_set, require
from scenic_video.errors import UserError
from scenic_video.field_types import Count, Pair, PositiveInt, Triple
from scenic_video.layers.attention import attention
from scenic_video.layers.embeddings import KernelStart
from scenic_video.layers.layer_order import EncoderLayers
from scenic_video.layers.pooling import TokenPooling, pool
from scenic_video.layers.token_learner import (
    PoolingEncoder,
    TokenFuser,
    TokenLearnerCrossAttention,
    TokenLearnerEncoder,
    TokenLearnerModule,
    TokenLearnerModuleV11,
)
from scenic_video.layers.vision_transformer import VisionTransformer


class _TokenLearner(VisionTransformer, kw_only=True):
    """A vision transformer that replaces its tokens by learned ones before block
    `token_learner_at`.

    Blocks count from 0. `num_tokens` is the number per frame. `token_learner` is "v1" (convolutions
    and a sigmoid; the paper's tables), "v1.1" (an MLP and a softmax over positions) or
    "cross_attention" (learned queries). `token_pooling` of v1 is "sum" or "mean"; `bottleneck_dim`
    is the width of v1.1's MLP. `token_fuser` keeps the full grid: see `TokenLearnerEncoder`;
    `fuser_bottleneck_dim` is the width of its MLP, or None for the one layer that the paper's
    tables count. The paper's "24+11" layers are num_layers=24 and num_extra_layers=11, which come
    last and process few tokens. There is no class token. Setting a field that is not used, such as
    `token_pooling` with "v1.1", is an error.

    `apply(..., mutable=["intermediates"])` also returns the attention map of each token, under
    "Transformer", the module's name (as "TokenLearnerModuleV11_0") and "maps": [b, (t,) h, w, s].
    """

    token_learner_at: Count
    num_tokens: PositiveInt = 8
    token_learner: Literal["v1", "v1.1", "cross_attention"] = "v1.1"
    token_pooling: Literal["sum", "mean"] = "sum"
    token_fuser: bool = False
    bottleneck_dim: PositiveInt = 64
    fuser_bottleneck_dim: PositiveInt | None = 64
    num_extra_layers: Count = 0
    classifier: TokenPooling = "gap"

    after_layers = rf"^Transformer/Token(Learner|Fuser)|{VisionTransformer.after_layers}"
    starts_by = "projects.tokenlearner.pretrained:start"

    def __post_init__(self):
        super().__post_init__()
        layers = self.num_layers + self.num_extra_layers
        place = f"token_learner_at (before which block tokens are learned) from 0 to {layers - 1}"
        wanted = {place: self.token_learner_at < layers}
        if is_set(self, "token_pooling"):
            wanted["token_learner='v1' if token_pooling is set"] = self.token_learner == "v1"
        if is_set(self, "bottleneck_dim"):
            wanted["token_learner='v1.1' if bottleneck_dim is set"] = self.token_learner == "v1.1"
        if is_set(self, "fuser_bottleneck_dim"):
            wanted["token_fuser=True if fuser_bottleneck_dim is set"] = self.token_fuser
        require(wanted, of=self)

    def _logits(self, tokens: Array, *, train: bool) -> Array:
        """Logits from embedded patches [b, h, w, d] or tubelets [b, t, h, w, d]."""
        grid = tokens.shape[1:-1]
        encoder = functools.partial(
            TokenLearnerEncoder,
            grid=grid,
            learn_at=self.token_learner_at,
            learn=self._learn(),
            fuse=self._fuse() if self.token_fuser else None,
        )
        encoded = self._encode(
            tokens.reshape(tokens.shape[0], -1, self.hidden_size),
            grid=grid,
            block=self._block(),
            train=train,
            encoder=encoder,
            num_layers=self.num_layers + self.num_extra_layers,
        )
        return self._classify(pool(encoded, self.classifier), train=train)

    def _encoder_layers(self) -> list[EncoderLayers]:
        (encoder,) = super()._encoder_layers()
        total = self.num_layers + self.num_extra_layers
        return [dataclasses.replace(encoder, num_layers=total)]

    def _learn(self) -> Callable[[], nn.Module]:
        fields: dict[str, Any] = {"num_tokens": self.num_tokens, "dtype": self.dtype}
        if self.token_learner == "v1":
            return functools.partial(TokenLearnerModule, pooling=self.token_pooling, **fields)
        if self.token_learner == "v1.1":
            fields |= {"bottleneck_dim": self.bottleneck_dim, "dropout_rate": self.dropout_rate}
            return functools.partial(TokenLearnerModuleV11, **fields)
        return functools.partial(
            TokenLearnerCrossAttention,
            num_heads=self.num_heads,
            dropout_rate=self.attention_dropout_rate,
            attention=functools.partial(attention, implementation=self.attention_implementation),
            **fields,
        )

    def _fuse(self) -> Callable[[], nn.Module]:
        return functools.partial(
            TokenFuser,
            bottleneck_dim=self.fuser_bottleneck_dim,
            dropout_rate=self.dropout_rate,
            dtype=self.dtype,
        )


class TokenLearnerViT(_TokenLearner, kw_only=True):
    """TokenLearner in an image transformer, over patches of `patch_size` (h, w).

    Takes images [b, h, w, 3] or videos of one frame.
    """

    patch_size: Pair = (16, 16)

    @nn.compact
    def __call__(
        self, *, rgb: Float[Array, "b *one_frame h w 3"], train: bool = False
    ) -> Float[Array, "b c"]:
        return self._logits(self._embed_images(rgb, self.patch_size), train=train)


class TokenLearnerViViT(_TokenLearner, kw_only=True):
    """TokenLearner in ViViT's joint space-time transformer (its model 1), over clips
    [b, t, h, w, 3] cut into tubelets of `tubelet_size` (t, h, w).

    Tokens are learned for each frame of tubelets separately. `tubelet_start` initialises the
    embedding: "random", or "central_frame" or "filter_inflation" of an image kernel.
    `uniform_frames` embeds that many evenly spaced frames one by one instead, as in ViViT;
    tubelet_size is then (1, h, w).
    """

    tubelet_size: Triple = (2, 16, 16)
    tubelet_start: KernelStart = "random"
    uniform_frames: PositiveInt | None = None

    @nn.compact
    def __call__(
        self, *, rgb: Float[Array, "b t h w 3"], train: bool = False
    ) -> Float[Array, "b c"]:
        tokens = self._embed_clips(rgb, self.tubelet_size, self.tubelet_start, self.uniform_frames)
        return self._logits(tokens, train=train)


class PoolingViT(VisionTransformer, kw_only=True):
    """The baseline that averages neighbouring tokens instead of learning tokens (table 5).

    Before each block of `pool_at` (ascending), square windows of tokens with the sides
    `pool_windows` are averaged. Takes images [b, h, w, 3] or videos of one frame.
    """

    pool_at: Sequence[Count]
    pool_windows: Sequence[PositiveInt]
    patch_size: Pair = (16, 16)
    classifier: TokenPooling = "gap"

    starts_by = _TokenLearner.starts_by

    def __post_init__(self):
        super().__post_init__()
        blocks, windows = tuple(self.pool_at), tuple(self.pool_windows)
        ascending = sorted({*blocks} & {*range(self.num_layers)}) == [*blocks]
        if not ascending or len(blocks) != len(windows) or min(windows, default=1) < 1:
            raise UserError(
                f"pool_at is {blocks} and pool_windows {windows}: wanted ascending blocks from 0 "
                f"to {self.num_layers - 1}, and a side of the window for each."
            )

    @nn.compact
    def __call__(
        self, *, rgb: Float[Array, "b *one_frame h w 3"], train: bool = False
    ) -> Float[Array, "b c"]:
        tokens = self._embed_images(rgb, self.patch_size)
        grid = tokens.shape[1:3]
        encoder = functools.partial(
            PoolingEncoder, grid=grid, pool_at=self.pool_at, windows=self.pool_windows
        )
        tokens = rearrange(tokens, "b h w d -> b (h w) d")
        block = self._block()
        tokens = self._encode(tokens, grid=grid, block=block, train=train, encoder=encoder)
        return self._classify(pool(tokens, self.classifier), train=train)
