"""Audiovisual transformers: MBT, Attention Bottlenecks for Multimodal Fusion (Nagrani et al.,
NeurIPS 2021), and its variant for fine-tuning from audiovisual autoencoders.

Axes: b examples, t time, h rows, w columns, f mel bins, n tokens, d width. Parameters carry the
names of the public checkpoints.
"""

from collections.abc import Mapping
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Float

from projects.avmae.modalities import IN_PARAMETERS, MODALITIES, MODALITY_TOKENS, given
from scenic_video.errors import UserError
from scenic_video.field_types import Count, Names, Triple
from scenic_video.layers.bottleneck_fusion import FusionEncoder, join, joint_mask
from scenic_video.layers.embeddings import KernelStart, PatchEmbedding, add_modality_token
from scenic_video.layers.pooling import classify, pool, prepend_class_token
from scenic_video.layers.positions import SEQUENCE_POSITIONS, Positions, add_positions
from scenic_video.layers.presence import (
    Present,
    all_if_none,
    mean_over_modalities,
    read_presence,
    where_present,
)
from scenic_video.layers.vision_transformer import VisionTransformer

Logits = Float[Array, "b c"]


class MBT(VisionTransformer, kw_only=True):
    """Streams of video and audio that exchange information through a few bottleneck tokens.

    Takes `rgb` [b, t, h, w, 3], cut into tubelets of `tubelet_size` (t, h, w), and `audio`
    [b, t, f, channels], cut into patches of its last two entries; `modalities` names the inputs
    it needs, one or both, in the order in which their tokens are joined.

    The first `fusion_layer` layers process one modality each. The others exchange information
    through `num_bottlenecks` tokens, or by attention over all tokens if that is 0 (see
    `FusionEncoder`). With class tokens there is one more bottleneck token, as in the public
    checkpoints. `fuse_in_evaluation=False` keeps modalities separate outside training.
    `share_encoder` gives them the same blocks.

    The classifiers "token" and "0" give logits for each modality, with one shared head: training
    returns {modality: logits}, evaluation their mean. Other classifiers pool over the tokens of
    both, and always return one array of logits. `positions` are those of each modality: "learned"
    or "sinusoidal_1d" over its tokens, including the class token, or "sinusoidal" over their grid,
    without a position for the class token.

    With `presence`, {modality: 1 where an example has it, 0 where it lacks it}, absent modalities
    have no influence: bottlenecks, pooled tokens and averaged logits are those of the present ones.
    In training, the logits of an absent modality are meaningless.
    """

    modalities: Names = ("audio", "rgb")
    fusion_layer: Count = 8
    num_bottlenecks: Count = 4
    fuse_in_evaluation: bool = True
    share_encoder: bool = False
    positions: Literal["learned", "sinusoidal_1d", "sinusoidal"] = "learned"
    tubelet_size: Triple = (2, 16, 16)
    tubelet_start: KernelStart = "random"

    after_layers = rf"^bottleneck$|{VisionTransformer.after_layers}"
    starts_by = "projects.avmae.starts:start"

    def __post_init__(self):
        super().__post_init__()
        names = tuple(self.modalities)
        if not names or len(set(names)) < len(names) or not set(names) <= set(MODALITIES):
            raise UserError(f"modalities are one or both of {MODALITIES}; got {names}.")
        if not 0 <= self.fusion_layer <= self.num_layers:
            raise UserError(
                f"fusion_layer is {self.fusion_layer}, but must be between 0 (early fusion) and "
                f"num_layers, {self.num_layers} (late fusion)."
            )

    @nn.compact
    def __call__(
        self,
        *,
        rgb: Float[Array, "b t h w 3"] | None = None,
        audio: Float[Array, "b s f channels"] | None = None,
        presence: Mapping[str, Float[Array, " b"]] | None = None,
        train: bool = False,
    ) -> Logits | dict[str, Logits]:
        inputs = given(self.modalities, rgb=rgb, audio=audio)
        present = read_presence(presence, self.modalities)
        if present is not None:
            inputs = {name: where_present(present[name], x) for name, x in inputs.items()}
        present = all_if_none(present)
        tokens = {name: self._tokenize(name, inputs[name]) for name in self.modalities}
        encoder = FusionEncoder(
            num_layers=self.num_layers,
            fusion_layer=self.fusion_layer,
            block=self._block(),
            suffixes={name: self._suffix(name) for name in self.modalities},
            positions_names={name: self._positions_name(name) for name in self.modalities},
            positions=self.positions if self.positions in SEQUENCE_POSITIONS else "none",
            dropout_rate=self.dropout_rate,
            stochastic_depth_rate=self.stochastic_depth_rate,
            remat=self.remat,
            norm_epsilon=self.norm_epsilon,
            name="Transformer",
        )
        bottlenecks = self._bottlenecks(batch_size=next(iter(tokens.values())).shape[0])
        fuse = train or self.fuse_in_evaluation
        tokens = encoder(tokens, bottlenecks, present=present, fuse=fuse, train=train)
        return self._logits(tokens, present, train=train)

    def _suffix(self, modality: str) -> str:
        shared = modality == "rgb" or self.share_encoder
        return "" if shared else f"_{IN_PARAMETERS[modality]}"

    def _positions_name(self, modality: str) -> str:
        suffix = "" if modality == "rgb" else f"_{IN_PARAMETERS[modality]}"
        return f"posembed_input{suffix}"

    def _tokenize(self, modality: str, pixels: Float[Array, "..."]) -> Float[Array, "b n d"]:
        if modality == "rgb":
            tokens = self._embed_clips(pixels, self.tubelet_size, self.tubelet_start)
        else:
            patch, name = tuple(self.tubelet_size)[1:], f"embedding_{IN_PARAMETERS[modality]}"
            embed = PatchEmbedding(self.hidden_size, patch, dtype=self.dtype, name=name)
            tokens = embed(pixels)
        grid = tokens.shape[1:-1]
        tokens = tokens.reshape(tokens.shape[0], -1, tokens.shape[-1])
        if self.positions not in SEQUENCE_POSITIONS:
            name = self._positions_name(modality)
            tokens = add_positions(tokens, self.positions, grid=grid, name=name)
        if self.classifier != "token":
            return tokens
        only = modality == "rgb" or len(self.modalities) == 1
        name = "cls" if only else f"cls{IN_PARAMETERS[modality]}"
        token = self.param(name, nn.initializers.zeros, (1, 1, self.hidden_size))
        return prepend_class_token(tokens, token)

    def _bottlenecks(self, *, batch_size: int) -> Float[Array, "b k d"] | None:
        """They exist even if no layer fuses, since public checkpoints have them."""
        if not self.num_bottlenecks:
            return None
        number = self.num_bottlenecks + (self.classifier == "token")
        shape = (1, number, self.hidden_size)
        tokens = self.param("bottleneck", nn.initializers.normal(0.02), shape)
        return jnp.broadcast_to(tokens, (batch_size, *shape[1:]))

    def _logits(
        self, tokens: dict[str, Array], present: Present, *, train: bool
    ) -> Logits | dict[str, Logits]:
        if self.classifier in ("token", "0"):
            return self._classify_each(tokens, present, train=train)
        joined, _ = join(tokens)
        features = pool(joined, self.classifier, mask=joint_mask(tokens, present))
        return self._classify(features, train=train)

    def _classify_each(
        self, tokens: dict[str, Array], present: Present, *, train: bool
    ) -> Logits | dict[str, Logits]:
        features = {name: pool(x, self.classifier) for name, x in tokens.items()}
        self.sow("intermediates", "features", mean_over_modalities(features, present))
        of_present = None if present is None else jnp.concatenate([present[m] for m in tokens])
        joined = jnp.concatenate(list(features.values()))
        logits = self._head(self._probe(joined, mask=of_present, train=train))
        logits = rearrange(logits, "(m b) c -> m b c", m=len(tokens))
        by_modality = dict(zip(tokens, logits, strict=True))
        return by_modality if train else mean_over_modalities(by_modality, present)

    def _head(self, features: Float[Array, "b d"]) -> Logits:
        return classify(
            features,
            self.num_classes,
            representation_size=self.representation_size,
            bias_init=self.head_bias_init,
        )


class PretrainedMBT(MBT, kw_only=True):
    """MBT for fine-tuning from an audiovisual autoencoder (Georgescu et al., ICCV 2023).

    Unlike `MBT` it supports the positions of autoencoders, and `use_modality_tokens`, a learned
    vector added to all tokens of a modality. Each modality is pooled and classified separately,
    whatever the classifier, so that training always returns {modality: logits}. Blocks of the first
    modality are named as in a model of that modality alone.
    """

    modalities: Names = ("rgb", "audio")
    positions: Positions = "sinusoidal_1d"
    use_modality_tokens: bool = False

    before_layers = rf"{MODALITY_TOKENS}|{MBT.before_layers}"

    def _suffix(self, modality: str) -> str:
        if modality == self.modalities[0] or self.share_encoder:
            return ""
        return {"rgb": "_rgb", "audio": "_spec"}[modality]

    def _tokenize(self, modality: str, pixels: Float[Array, "..."]) -> Float[Array, "b n d"]:
        tokens = super()._tokenize(modality, pixels)
        if not self.use_modality_tokens:
            return tokens
        name = f"Encoder_modality_token_{IN_PARAMETERS[modality]}"
        return add_modality_token(self, tokens, name)

    def _logits(
        self, tokens: dict[str, Array], present: Present, *, train: bool
    ) -> Logits | dict[str, Logits]:
        return self._classify_each(tokens, present, train=train)

    def _head(self, features: Float[Array, "b d"]) -> Logits:
        return ProjectionHeadAndClassifier(
            self.num_classes,
            representation_size=self.representation_size,
            bias_init=self.head_bias_init,
            name="ProjectionHeadAndClassifier_0",
        )(features)


class ProjectionHeadAndClassifier(nn.Module):
    """`classify` with its own parameters."""

    num_classes: int
    representation_size: int | None = None
    bias_init: float = 0.0

    @nn.compact
    def __call__(self, features: Float[Array, "b d"]) -> Logits:
        return classify(
            features,
            self.num_classes,
            representation_size=self.representation_size,
            bias_init=self.bias_init,
        )
