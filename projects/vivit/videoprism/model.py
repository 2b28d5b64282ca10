"""VideoPrism's video encoder (Zhao et al., ICML 2024), with a classifier.

Axes: b examples, t time, h rows, w columns, n places of a frame, d width, c classes.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
from einops import rearrange
from jaxtyping import Array, Float

from scenic_video.field_types import Pair, Positive, PositiveInt
from scenic_video.layers.attention import attention
from scenic_video.layers.embeddings import PatchEmbedding, check_clip
from scenic_video.layers.layer_order import EncoderLayers
from scenic_video.layers.norms import OffsetLayerNorm
from scenic_video.layers.pooling import AttentionPooler, pool
from scenic_video.layers.vision_transformer import VisionTransformer


class VideoPrism(VisionTransformer, kw_only=True):
    """ViViT's factorised encoder (model 2) that keeps the places of a frame: a transformer over
    each frame, then one over the times of each place, and a classifier over all tokens.

    `classifier` is "attention", by one learned query (see `AttentionPooler`), or the mean, "gap".
    `logit_cap` is that of all attentions of the encoders. Takes clips [b, t, h, w, 3] with pixels
    in [0, 1] in patches of `patch_size` (h, w).
    """

    patch_size: Pair = (18, 18)
    temporal_num_layers: PositiveInt = 4
    classifier: Literal["attention", "gap"] = "attention"
    exact_gelu: bool = True
    logit_cap: Positive | None = 50.0

    starts_by = "projects.vivit.videoprism.pretrained:from_videoprism"
    layer_norm = OffsetLayerNorm
    starts_by = "projects.vivit.videoprism.pretrained:start"
    after_layers = rf"^attention_pooler/|{VisionTransformer.after_layers}"

    def _encoder_layers(self) -> list[EncoderLayers]:
        spatial, temporal = "SpatialTransformer", "TemporalTransformer"
        before = rf"^embedding/|^{spatial}/posembed_input/"
        return [
            EncoderLayers(self.num_layers, rf"^{spatial}/encoderblock_(\d+)", before),
            EncoderLayers(
                self.temporal_num_layers,
                rf"^{temporal}/encoderblock_(\d+)",
                rf"^{temporal}/posembed_input/",
            ),
        ]

    @nn.compact
    def __call__(
        self, *, rgb: Float[Array, "b t h w 3"], train: bool = False
    ) -> Float[Array, "b c"]:
        check_clip(rgb.shape, (1, *self.patch_size))
        embed = PatchEmbedding(
            self.hidden_size, self.patch_size, dtype=self.dtype, name="embedding"
        )
        tokens = embed(rgb)
        _, times, *places, _ = tokens.shape
        encode = functools.partial(self._encode, block=self._capped_block(), train=train)
        tokens = encode(
            rearrange(tokens, "b t h w d -> b t (h w) d"),
            grid=tuple(places),
            name="SpatialTransformer",
        )
        tokens = encode(
            tokens.swapaxes(1, 2),
            grid=(times,),
            num_layers=self.temporal_num_layers,
            name="TemporalTransformer",
        )
        return self._classify(self._pool(rearrange(tokens, "b n t d -> b (t n) d")), train=train)

    def _capped_block(self) -> Callable[..., Any]:
        fields = {"logit_cap": self.logit_cap, "implementation": self.attention_implementation}
        return self._block(attention=functools.partial(attention, **fields))

    def _pool(self, tokens: Float[Array, "b n d"]) -> Float[Array, "b d"]:
        if self.classifier == "gap":
            return pool(tokens, "gap")
        pooler = AttentionPooler(
            self.mlp_dim,
            self.num_heads,
            norm_epsilon=self.norm_epsilon,
            dtype=self.dtype,
            name="attention_pooler",
        )
        return pooler(tokens)
