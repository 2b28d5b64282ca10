"""Fine-tuning of a masked autoencoder of one modality; for two see `PretrainedMBT`."""

from typing import Literal

import flax.linen as nn
from jaxtyping import Array, Float

from projects.avmae.modalities import IN_PARAMETERS, MODALITY_TOKENS, Modality, given
from projects.avmae.model import Logits
from scenic_video.errors import UserError
from scenic_video.field_types import PairOrTriple
from scenic_video.layers.embeddings import KernelStart, add_modality_token, single_images
from scenic_video.layers.pooling import pool, prepend_class_token
from scenic_video.layers.positions import FixedPositions, LearnedPositions, Positions, add_positions
from scenic_video.layers.transformer import Encoder
from scenic_video.layers.vision_transformer import VisionTransformer


class PretrainedViT(VisionTransformer, kw_only=True):
    """The encoder of a masked autoencoder of one modality, with a head, to be fine-tuned.

    Takes the input `modality`, "rgb" or "audio". With two entries in `patch_size` it is images [b,
    h, w, 3] (or clips of one frame) or spectrograms [b, t, f, channels]; with three, videos [b, t,
    h, w, 3]. Positions are as in pretraining: a class token has none, or a learned one with
    `class_positions`. With `class_token` there is one that is not pooled, beside classifiers other
    than "token". `normalize` is where the last LayerNorm is applied: to "tokens", or after they are
    "pooled", like the mean of video tokens in the public checkpoints.
    """

    modality: Modality = "rgb"
    patch_size: PairOrTriple = (2, 16, 16)
    positions: Positions = "sinusoidal_1d"
    tubelet_start: KernelStart = "random"
    normalize: Literal["tokens", "pooled"] = "tokens"
    class_token: bool = False
    class_positions: bool = False
    use_modality_tokens: bool = False

    before_layers = rf"{MODALITY_TOKENS}|{VisionTransformer.before_layers}"
    starts_by = "projects.avmae.starts:start"

    @property
    def fixed_positions(self) -> FixedPositions:
        """A class token is never counted."""
        return FixedPositions.of(self.positions)

    @nn.compact
    def __call__(
        self,
        *,
        rgb: Float[Array, "..."] | None = None,
        audio: Float[Array, "..."] | None = None,
        train: bool = False,
    ) -> Logits:
        inputs = given([self.modality], rgb=rgb, audio=audio)
        tokens = self._tokenize(inputs[self.modality])
        if self.class_token or self.classifier == "token":
            token = self.param("cls", nn.initializers.zeros, (1, 1, self.hidden_size))
            if self.class_positions:
                token = LearnedPositions(name="posembed_input_cls")(token)
            tokens = prepend_class_token(tokens, token)
        tokens = Encoder(
            num_layers=self.num_layers,
            block=self._block(),
            positions="none",
            dropout_rate=self.dropout_rate,
            stochastic_depth_rate=self.stochastic_depth_rate,
            remat=self.remat,
            normalize=self.normalize == "tokens",
            norm_epsilon=self.norm_epsilon,
            name="Transformer",
        )(tokens, train=train)
        pooled = tokens[:, 1:] if self.class_token and self.classifier != "token" else tokens
        features = pool(pooled, self.classifier)
        if self.normalize == "pooled":
            features = nn.LayerNorm(self.norm_epsilon, name="encoder_norm")(features)
        return self._classify(features, train=train)

    def _tokenize(self, pixels: Float[Array, "..."]) -> Float[Array, "b n d"]:
        patch = tuple(self.patch_size)
        if len(patch) == 2 and self.modality == "rgb":
            pixels = single_images(pixels)
        if pixels.ndim != len(patch) + 2:
            raise UserError(
                f"A patch_size of {patch} needs an input of {len(patch) + 2} axes, batch and "
                f"channels included; got one of shape {pixels.shape}."
            )
        if len(patch) == 3:
            patches = self._embed_clips(pixels, patch, self.tubelet_start)
        else:
            patches = self._embed_images(pixels, patch)
        tokens = patches.reshape(len(patches), -1, self.hidden_size)
        grid = patches.shape[1:-1]
        tokens = add_positions(tokens, self.positions, grid=grid, name="posembed_input")
        if not self.use_modality_tokens:
            return tokens
        name = f"Encoder_modality_token_{IN_PARAMETERS[self.modality]}"
        return add_modality_token(self, tokens, name)
