"""The base of masked autoencoders: positions, masks, projections, and the forward pass."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from scenic_video.errors import UserError
from scenic_video.layers.embeddings import PatchEmbedding, add_modality_token, check_clip
from scenic_video.layers.encoder_decoder import EncoderDecoder
from scenic_video.layers.layer_order import EncoderLayers, layers_after
from scenic_video.layers.masking import (
    Mask,
    MaskingStrategy,
    Reconstruction,
    Standardization,
    place_tokens,
    reconstruction_target,
    sample_mask,
    take_tokens,
)
from scenic_video.layers.positions import FixedPositions, Positions, add_positions
from scenic_video.layers.presence import Present, all_if_none, where_present
from scenic_video.layers.transformer import POSITION_TABLES

Tokens = dict[str, Array]


@dataclasses.dataclass(frozen=True)
class TokenGrid:
    """The grid of the tokens of a modality, and its mask."""

    shape: tuple[int, ...]
    mask: Mask

    @property
    def number(self) -> int:
        return self.mask.hidden.shape[1] + self.mask.visible.shape[1]

    def is_hidden(self) -> Float[Array, "b n"]:
        """1 for hidden tokens, 0 for visible ones."""
        hidden = self.mask.hidden
        zeros, ones = jnp.zeros((len(hidden), self.number, 1)), jnp.ones((*hidden.shape, 1))
        return place_tokens(zeros, ones, hidden)[..., 0]


class Autoencoder(EncoderDecoder, kw_only=True):
    """The base of a model that predicts hidden patches from visible ones.

    All tokens get positions. The visible ones are encoded, projected to the width of the decoder
    and combined with mask tokens, from which the decoder predicts patches (He et al., section 3).
    Returns {modality: Reconstruction} of the modalities with hidden tokens, or with `encode_only`
    the encoder's output for all tokens. Masks are sampled with the rng "mask", or "dropout" if
    there is no such rng, unless they are given as `masks`.

    `positions` and `decoder_positions` are "sinusoidal" (over the axes of the grid),
    "sinusoidal_1d" (over the sequence), "learned", "learned_space_time" (the sum of one vector for
    each time and one for each place) or "none". `standardize`, `central_frame` and `grayscale`
    define the target, as in `reconstruction_target`; the latter two apply to video only. Other
    fields are those of `EncoderDecoder`.
    """

    positions: Positions = "sinusoidal_1d"
    decoder_positions: Positions = "sinusoidal_1d"
    use_modality_tokens: bool = False
    standardize: Standardization = "none"
    central_frame: bool = False
    grayscale: bool = False

    before_layers = rf"^embedding[^/]*/|{POSITION_TABLES}"
    after_layers = (
        r"^(Decoder|decoder_projection|mask_token|output_projection|posembed_decoder)"
        r"|(^|/)encoder_norm/"
    )

    def layers_after(self, path: str) -> int | None:
        """How many layers of the encoder follow the parameter of this path: see
        `scenic_video.optimizers`."""
        return layers_after(path, self._encoder_layers(), self.after_layers)

    def _encoder_layers(self) -> list[EncoderLayers]:
        """Those of each encoder, in the order in which they read each other's output."""
        raise NotImplementedError

    @property
    def fixed_positions(self) -> FixedPositions:
        """Those of the encoder."""
        return FixedPositions.of(self.positions)

    def _patch_size(self, modality: str) -> tuple[int, ...]:
        raise NotImplementedError

    def _masking_rate(self, modality: str) -> float:
        raise NotImplementedError

    def _masking_strategy(self, modality: str) -> MaskingStrategy:
        raise NotImplementedError

    def _name(self, stem: str, modality: str) -> str:
        """The name of a modality's parameter or layer."""
        raise NotImplementedError

    def _modality_token_name(self, part: str, modality: str) -> str:
        """The name of the vector added to the tokens of a modality; `part` is "Encoder" or
        "Decoder"."""
        raise NotImplementedError

    def _is_video(self, modality: str) -> bool:
        """Whether `central_frame` and `grayscale` apply to a modality."""
        raise NotImplementedError

    def _encode(self, tokens: Tokens, present: Present, *, train: bool) -> Tokens:
        raise NotImplementedError

    def _decode(
        self, encoded: Tokens, grids: Mapping[str, TokenGrid], present: Present, *, train: bool
    ) -> tuple[Tokens, Tokens]:
        """Decoded tokens at all places [b, n, d], and which of them to score [b, n].

        Here and in `_encode`, each example has at least one modality in `present`.
        """
        raise NotImplementedError

    def _autoencode(
        self,
        inputs: Mapping[str, Array],
        masks: Mapping[str, Mask] | None,
        present: Present = None,
        *,
        train: bool,
        encode_only: bool,
    ) -> Any:
        if present is not None:
            inputs = {name: where_present(present[name], x) for name, x in inputs.items()}
        read, tokens, shapes = all_if_none(present), {}, {}
        for name, pixels in inputs.items():
            tokens[name], shapes[name] = self._embed(name, pixels)
        if encode_only:
            return self._encode(tokens, read, train=train)
        if masks is None:
            masks = {name: self._draw(name, len(x), shapes[name]) for name, x in tokens.items()}
        grids = {name: TokenGrid(shapes[name], masks[name]) for name in tokens}
        hiding = [name for name, grid in grids.items() if grid.mask.hidden.shape[1]]
        if not hiding:
            raise UserError(
                f"No token of {', '.join(grids)} is hidden, so nothing is left to predict. Set a "
                "masking rate above 0."
            )
        visible = {name: take_tokens(x, masks[name].visible) for name, x in tokens.items()}
        encoded = self._encode(visible, read, train=train)
        decoded, scored = self._decode(encoded, grids, read, train=train)
        if present is not None:
            scored = {name: where_present(present[name], x) for name, x in scored.items()}
        return {
            name: self._reconstruct(name, inputs[name], decoded[name], scored[name])
            for name in hiding
        }

    def _embed(self, modality: str, pixels: Array) -> tuple[Array, tuple[int, ...]]:
        """Tokens [b, n, d] with positions, and the shape of their grid."""
        patch_size = self._patch_size(modality)
        if len(patch_size) == 3:
            check_clip(pixels.shape, patch_size)
        patches = PatchEmbedding(
            self.hidden_size,
            patch_size,
            dtype=self.dtype,
            name=self._name("embedding", modality),
        )(pixels)
        grid = patches.shape[1:-1]
        tokens = patches.reshape(len(patches), -1, self.hidden_size)
        name = self._name("posembed_input", modality)
        tokens = add_positions(tokens, self.positions, grid=grid, name=name)
        return self._with_modality_token("Encoder", modality, tokens), grid

    def _draw(self, modality: str, batch_size: int, grid: tuple[int, ...]) -> Mask:
        rng = self.make_rng("mask" if self.has_rng("mask") else "dropout")
        rate, strategy = self._masking_rate(modality), self._masking_strategy(modality)
        return sample_mask(rng, batch_size=batch_size, grid=grid, rate=rate, strategy=strategy)

    def _project(self, modality: str, encoded: Array) -> Array:
        name = self._name("decoder_projection", modality)
        init = nn.initializers.xavier_uniform()
        dense = nn.Dense(self.decoder_hidden_size, kernel_init=init, dtype=self.dtype, name=name)
        return dense(encoded).astype(jnp.float32)

    def _fill_in(
        self, modality: str, tokens: Array, grid: TokenGrid, *, at: Array | None = None
    ) -> Array:
        """Mask tokens at all places but `at`, by default the visible ones, plus positions."""
        name, shape = self._name("mask_token", modality), (1, 1, self.decoder_hidden_size)
        mask_token = self.param(name, nn.initializers.zeros, shape)
        filled = jnp.broadcast_to(mask_token, (len(tokens), grid.number, shape[-1]))
        filled = place_tokens(filled, tokens, grid.mask.visible if at is None else at)
        name = self._name("posembed_decoder", modality)
        filled = add_positions(filled, self.decoder_positions, grid=grid.shape, name=name)
        return self._with_modality_token("Decoder", modality, filled)

    def _with_modality_token(self, part: str, modality: str, tokens: Array) -> Array:
        if not self.use_modality_tokens:
            return tokens
        return add_modality_token(self, tokens, self._modality_token_name(part, modality))

    def _reconstruct(
        self, modality: str, pixels: Array, decoded: Array, scored: Array
    ) -> Reconstruction:
        video = self._is_video(modality)
        target = reconstruction_target(
            pixels,
            self._patch_size(modality),
            standardize=self.standardize,
            central_frame=self.central_frame and video,
            grayscale=self.grayscale and video,
        )
        name, init = self._name("output_projection", modality), nn.initializers.zeros
        prediction = nn.Dense(target.shape[-1], kernel_init=init, name=name)(decoded)
        return Reconstruction(prediction, target, scored)
