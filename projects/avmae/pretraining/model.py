"""Masked autoencoders: of images (He et al., CVPR 2022), of videos (Tong et al., NeurIPS 2022), and
audiovisual (Georgescu et al., Audiovisual Masked Autoencoders, ICCV 2023).

Axes: b examples, t time, h rows, w columns, f mel bins, n tokens, d width, p values of a patch.
Parameters carry the names of the public checkpoints.
"""

import functools
from collections.abc import Mapping
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from projects.avmae.modalities import IN_PARAMETERS, MODALITY_TOKENS, given
from projects.avmae.pretraining.inpainting import inpainting, public_inpainting
from projects.avmae.pretraining.strategies import Strategy, check_objective, run
from scenic_video.config import require
from scenic_video.errors import UserError
from scenic_video.field_types import Count, Names, PairOrTriple, ShareBelowOne, Triple
from scenic_video.layers.autoencoder import Autoencoder, TokenGrid, Tokens
from scenic_video.layers.bottleneck_fusion import join, joint_mask, split
from scenic_video.layers.embeddings import single_images
from scenic_video.layers.layer_order import EncoderLayers
from scenic_video.layers.masking import Mask, MaskingStrategy, Reconstruction
from scenic_video.layers.pooling import prepend_class_token
from scenic_video.layers.positions import LearnedPositions
from scenic_video.layers.presence import Present, read_presence, where_present
from scenic_video.layers.transformer import ENCODER_BLOCK


class MaskedAutoencoder(Autoencoder, kw_only=True):
    """Masks patches of images or tubelets of videos, and predicts them from the others.

    `patch_size` is (h, w) for images [b, h, w, 3] or clips of one frame, (t, h, w) for videos [b,
    t, h, w, 3]. It masks the share `masking_rate` of tokens with the strategy `masking`, "random"
    or "tube" (videos only). The default positions are the usual ones for videos; use "sinusoidal"
    for images. `class_token` adds a token in front of the others, which has no position unless
    `class_positions` gives it a learned one in the encoder and another in the decoder.
    """

    patch_size: PairOrTriple = (2, 16, 16)
    masking_rate: ShareBelowOne = 0.9
    masking: MaskingStrategy = "random"
    class_token: bool = False
    class_positions: bool = False

    before_layers = rf"^cls$|{MODALITY_TOKENS}|{Autoencoder.before_layers}"

    def __post_init__(self):
        super().__post_init__()
        wanted = {"class_token if class_positions is set": self.class_token}
        require(wanted if self.class_positions else {}, of=self)

    @nn.compact
    def __call__(
        self,
        *,
        rgb: Float[Array, "..."],
        masks: Mapping[str, Mask] | None = None,
        train: bool = False,
        encode_only: bool = False,
    ) -> dict[str, Reconstruction] | dict[str, Float[Array, "b _n d"]]:
        pixels = single_images(rgb) if len(self.patch_size) == 2 else rgb
        return self._autoencode({"rgb": pixels}, masks, train=train, encode_only=encode_only)

    def _encoder_layers(self) -> list[EncoderLayers]:
        return [
            EncoderLayers(self.num_layers, rf"^Transformer/{ENCODER_BLOCK}", self.before_layers)
        ]

    def _patch_size(self, modality: str) -> tuple[int, ...]:
        return tuple(self.patch_size)

    def _masking_rate(self, modality: str) -> float:
        return self.masking_rate

    def _masking_strategy(self, modality: str) -> MaskingStrategy:
        return self.masking

    def _name(self, stem: str, modality: str) -> str:
        return stem

    def _modality_token_name(self, part: str, modality: str) -> str:
        return f"{part}_modality_token_{IN_PARAMETERS[modality]}"

    def _is_video(self, modality: str) -> bool:
        return True

    def _encode(self, tokens: Tokens, present: Present, *, train: bool) -> Tokens:
        visible = tokens["rgb"]
        if self.class_token:
            token = self.param("cls", nn.initializers.zeros, (1, 1, self.hidden_size))
            token = self._with_class_position(token, "posembed_input_cls")
            visible = prepend_class_token(visible, token)
        return {"rgb": self._encoder("Transformer")(visible, train=train)}

    def _decode(
        self, encoded: Tokens, grids: Mapping[str, TokenGrid], present: Present, *, train: bool
    ) -> tuple[Tokens, Tokens]:
        projected = self._project("rgb", encoded["rgb"])
        first = 1 if self.class_token else 0
        tokens = self._fill_in("rgb", projected[:, first:], grids["rgb"])
        token = self._with_class_position(projected[:, :first], "posembed_decoder_cls")
        tokens = jnp.concatenate([token, tokens], axis=1)
        decoded = self._decoder("Decoder")(tokens, train=train)[:, first:]
        return {"rgb": decoded}, {"rgb": grids["rgb"].is_hidden()}

    def _with_class_position(self, token: Array, name: str) -> Array:
        return LearnedPositions(name=name)(token) if self.class_positions else token


class AudiovisualMaskedAutoencoder(Autoencoder, kw_only=True):
    """Masks tokens of video and audio, and predicts them from the visible ones.

    Takes `rgb` [b, t, h, w, 3] in tubelets of `tubelet_size`, and `audio` [b, t, f, channels] in
    patches of its last two entries; `modalities` names its inputs. `masking_rates` are the shares
    of hidden tokens, by modality. Tokens are hidden at "random", or with `masking="tube"` in tubes
    for video.

    `encoder` is "early" (one, over the tokens of both), "mid" (one for each, and then one over both
    of `fusion_layers` of the `num_layers`), "separate", or "shared" (the same weights for each).
    `decoder` is "early", "separate" or "shared" in the same sense. `objective` is

    - "reconstruction": each modality is decoded with its own visible tokens;
    - "inpainting": the hidden tokens of each are decoded with the visible tokens of the other, each
      at its own position, and only they are predicted. An early decoder is an error, since it would
      also attend to the visible tokens of the same modality;
    - "public_inpainting": as in the public code, the k visible tokens of the other modality are at
      the first k positions, and all other positions are scored, hidden or not.

    Separate encoders with separate decoders are an error, except for inpainting, since nothing
    connects the modalities. A modality with a masking rate of 0 is not predicted: "inpainting" with
    such a rate for audio predicts video from all of the audio.

    With `presence`, {modality: 1 where an example has it, 0 where it lacks it}, absent modalities
    are neither read nor scored. Inpainting needs both: an example that lacks one is not scored.
    """

    modalities: Names = ("rgb", "audio")
    tubelet_size: Triple = (2, 16, 16)
    masking_rates: Mapping[str, ShareBelowOne]
    masking: MaskingStrategy = "random"
    encoder: Literal[Strategy, "mid"] = "mid"
    decoder: Strategy = "shared"
    fusion_layers: Count = 2
    objective: Literal["reconstruction", "inpainting", "public_inpainting"] = "reconstruction"

    before_layers = rf"{MODALITY_TOKENS}|{Autoencoder.before_layers}"

    def __post_init__(self):
        super().__post_init__()
        names = tuple(self.modalities)
        if names not in (("rgb", "audio"), ("rgb",), ("audio",)):
            raise UserError(f"modalities are rgb, audio, or both in that order: {names}.")
        if set(names) != set(self.masking_rates):
            raise UserError(
                f"masking_rates are for {', '.join(sorted(self.masking_rates))}, but modalities "
                f"are {', '.join(names)}. Give each of these a rate, and no other."
            )
        if self.masking == "tube" and "rgb" not in names:
            raise UserError(f"Tube masking is for video, but modalities are {', '.join(names)}.")
        if self.encoder == "mid" and not 0 < self.fusion_layers < self.num_layers:
            raise UserError(
                f"Mid fusion needs fusion_layers between 1 and num_layers - 1; got "
                f"{self.fusion_layers} of {self.num_layers}."
            )
        check_objective(names, self.encoder, self.decoder, self.objective)

    @nn.compact
    def __call__(
        self,
        *,
        rgb: Float[Array, "b t h w 3"] | None = None,
        audio: Float[Array, "b s f channels"] | None = None,
        masks: Mapping[str, Mask] | None = None,
        presence: Mapping[str, Float[Array, " b"]] | None = None,
        train: bool = False,
        encode_only: bool = False,
    ) -> dict[str, Reconstruction] | dict[str, Float[Array, "b _n d"]]:
        inputs = given(self.modalities, rgb=rgb, audio=audio)
        present = read_presence(presence, tuple(inputs))
        return self._autoencode(inputs, masks, present, train=train, encode_only=encode_only)

    def _encoder_layers(self) -> list[EncoderLayers]:
        block = rf"^Transformer(?:_(?:rgb|spectrogram))?/{ENCODER_BLOCK}"
        if self.encoder != "mid":
            return [EncoderLayers(self.num_layers, block, self.before_layers)]
        joint = "^Transformer_concat/"
        return [
            EncoderLayers(self.num_layers - self.fusion_layers, block, self.before_layers),
            EncoderLayers(
                self.fusion_layers, rf"{joint}{ENCODER_BLOCK}", rf"{joint}posembed_input/"
            ),
        ]

    def _patch_size(self, modality: str) -> tuple[int, ...]:
        return tuple(self.tubelet_size)[0 if modality == "rgb" else 1 :]

    def _masking_rate(self, modality: str) -> float:
        return self.masking_rates[modality]

    def _masking_strategy(self, modality: str) -> MaskingStrategy:
        return self.masking if modality == "rgb" else "random"

    def _name(self, stem: str, modality: str) -> str:
        return f"{stem}_{IN_PARAMETERS[modality]}"

    def _modality_token_name(self, part: str, modality: str) -> str:
        return self._name(f"{part}_modality_token", modality)

    def _is_video(self, modality: str) -> bool:
        return modality == "rgb"

    def _encode(self, tokens: Tokens, present: Present, *, train: bool) -> Tokens:
        if self.encoder != "mid":
            return run(self.encoder, self._encoder, "Transformer", tokens, present, train=train)
        for name in tokens:
            own = self._name("Transformer", name)
            unimodal = self._encoder(own, self.num_layers - self.fusion_layers)
            tokens = tokens | {name: unimodal(tokens[name], train=train)}
        joint = self._encoder("Transformer_concat", self.fusion_layers)
        joined, lengths = join(tokens)
        mask = joint_mask(tokens, present)
        return split(joint(joined, key_mask=mask, train=train), lengths)

    def _decode(
        self, encoded: Tokens, grids: Mapping[str, TokenGrid], present: Present, *, train: bool
    ) -> tuple[Tokens, Tokens]:
        projected = {name: self._project(name, x) for name, x in encoded.items()}
        if self.objective == "reconstruction":
            tokens = {name: self._fill_in(name, x, grids[name]) for name, x in projected.items()}
            hidden = {name: grids[name].is_hidden() for name in tokens}
            decoded = run(self.decoder, self._decoder, "Decoder", tokens, present, train=train)
            return decoded, hidden
        inpaint = inpainting if self.objective == "inpainting" else public_inpainting
        decode = functools.partial(run, self.decoder, self._decoder, "Decoder", train=train)
        decoded, scored = inpaint(
            projected, grids, fill_in=self._fill_in, decode=lambda tokens: decode(tokens, None)
        )
        if present is not None:
            both = jnp.stack(list(present.values())).all(axis=0)
            scored = {name: where_present(both, x) for name, x in scored.items()}
        return decoded, scored
