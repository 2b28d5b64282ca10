"""Transformers of audio alone, whose public weights start the audio stream of MBT.

Axes: b examples, t time, f mel bins, n tokens, d width, c classes.
"""

import functools
from typing import Literal

import flax.linen as nn
from einops import rearrange
from jaxtyping import Array, Float

from scenic_video.config import require
from scenic_video.field_types import Pair
from scenic_video.layers.embeddings import PatchEmbedding
from scenic_video.layers.pooling import pool, prepend_class_token
from scenic_video.layers.positions import add_sinusoidal_positions
from scenic_video.layers.transformer import Encoder
from scenic_video.layers.vision_transformer import VisionTransformer


class SpectrogramTransformer(VisionTransformer, kw_only=True):
    """AST (Gong et al., AST: Audio Spectrogram Transformer, Interspeech 2021), and the encoder of
    AudioMAE (Huang et al., Masked Autoencoders that Listen, NeurIPS 2022).

    Takes `audio` [b, t, f, channels]; a patch of `patch_size` (t, f) begins every `patch_stride`
    (t, f) pixels, by default without overlap. There is always a class token; with
    `distillation_token`, a second one follows it. `classifier` "token" is their mean, "gap" the
    mean over the patches. `normalize` is where there is a last LayerNorm: on all "tokens", on the
    "pooled" vector, or on "both", each with its own parameters. AST has two class tokens and both
    norms. AudioMAE has one, no overlap, "sinusoidal" positions and a norm of tokens in pretraining,
    of the pooled patches in fine-tuning.
    """

    patch_size: Pair = (16, 16)
    patch_stride: Pair | None = None
    classifier: Literal["token", "gap"] = "token"
    positions: Literal["learned", "sinusoidal"] = "learned"
    distillation_token: bool = False
    normalize: Literal["tokens", "pooled", "both"] = "both"

    def __post_init__(self):
        super().__post_init__()
        steps = zip(self.patch_stride or (1, 1), self.patch_size, strict=True)
        wanted = {"a patch_stride of at most patch_size": all(step <= size for step, size in steps)}
        require(wanted, of=self)

    @nn.compact
    def __call__(
        self, *, audio: Float[Array, "b t f channels"], train: bool = False
    ) -> Float[Array, "b c"]:
        tokens, number = self._tokenize(audio)
        tokens = Encoder(
            num_layers=self.num_layers,
            block=self._block(),
            positions="learned" if self.positions == "learned" else "none",
            dropout_rate=self.dropout_rate,
            stochastic_depth_rate=self.stochastic_depth_rate,
            remat=self.remat,
            normalize=self.normalize != "pooled",
            norm_epsilon=self.norm_epsilon,
            name="Transformer",
        )(tokens, train=train)
        of_token = self.classifier == "token"
        features = pool(tokens[:, :number] if of_token else tokens[:, number:], "gap")
        if self.normalize != "tokens":
            features = nn.LayerNorm(self.norm_epsilon, name="encoder_norm")(features)
        return self._classify(features, train=train)

    def _tokenize(self, audio: Float[Array, "b t f channels"]) -> tuple[Array, int]:
        """Patches in the order of time, after the class tokens, and the number of the latter."""
        embed = functools.partial(PatchEmbedding, dtype=self.dtype, name="embedding")
        patches = embed(self.hidden_size, self.patch_size, self.patch_stride)(audio)
        tokens = rearrange(patches, "b t f d -> b (t f) d")
        if self.positions == "sinusoidal":
            tokens = add_sinusoidal_positions(tokens, patches.shape[1:3])
        names = ["cls_distillation"] if self.distillation_token else []
        for name in (*names, "cls"):
            token = self.param(name, nn.initializers.zeros, (1, 1, self.hidden_size))
            tokens = prepend_class_token(tokens, token)
        return tokens, len(names) + 1
