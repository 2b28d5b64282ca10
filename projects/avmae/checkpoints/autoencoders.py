"""Checkpoints of masked autoencoders with their decoders, for the `MaskedAutoencoder`."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from projects.avmae.checkpoints.inputs import image_size_of, with_inputs
from scenic_video.errors import UserError
from scenic_video.layers.positions import sinusoidal_positions
from scenic_video.weights.families.blocks import HEAD, SELF_ATTENTION
from scenic_video.weights.families.family import Weights, number_of_heads
from scenic_video.weights.families.layouts import Layout
from scenic_video.weights.families.names import (
    Leaves,
    NameTable,
    Rule,
    carries_nothing,
    dense,
    norm,
    with_zero_biases,
)
from scenic_video.weights.families.towers import Tower, shape_of

DECODER = "Decoder"
DECODER_BLOCK = f"{DECODER}/encoderblock_{{i}}"
KERNELS_WITH_BIAS = (rf"{DECODER}/encoderblock_\d+/.*", "decoder_projection/.*")
"""The layers whose bias a checkpoint may lack."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AutoencoderTower(Tower):
    """An encoder that `table` covers, and a decoder that `decoder` covers.

    `decoder_heads` gives the attention heads of a decoder by its width, where no config.json states
    them. `fields` are those of the model that the shapes do not give, by the config. `tables` are
    the names of the fixed positions of encoder and decoder that files hold, with a row of zeros for
    the class token.
    """

    target: str = "projects.avmae.pretraining.model:MaskedAutoencoder"
    exact_gelu: bool = True
    mask_token: str = "mask_token"
    num_frames: int = 1
    decoder: NameTable
    decoder_heads: Callable[[int], int]
    fields: Callable[[Mapping[str, Any]], dict[str, Any]]
    tables: tuple[str, ...] = ()

    def matches(self, leaves: Mapping[str, Any]) -> bool:
        is_whole = super().matches(leaves) and {self.mask_token, *self.tables} <= leaves.keys()
        return is_whole and leaves[self.patch_kernel].shape[1] == 3  # of AudioMAE it is 1

    def read(self, leaves: Leaves, metadata: Mapping[str, Any]) -> Weights:
        fixed = self.tables if self._has_fixed_positions(leaves) else ()
        size = self._image_size(leaves)
        metadata, notes = with_inputs(metadata, num_frames=self.num_frames, image_size=size)
        weights = super().read({x: y for x, y in leaves.items() if x not in fixed}, metadata)
        config = metadata["config"]
        width = leaves[self.mask_token].shape[-1]
        heads = config.get("decoder_num_attention_heads", self.decoder_heads(width))
        decoder, unread = self.decoder.read(weights.rest, heads=number_of_heads(width, heads))
        decoder, added = with_zero_biases(decoder, KERNELS_WITH_BIAS)
        if added:
            notes = (f"{added} biases of the decoder, which it lacks, are zeros", *notes)
        return dataclasses.replace(
            weights,
            params={**weights.params, **decoder},
            model={**(weights.model or {}), **sizes_of_decoder(decoder)},
            rest={name: weights.rest[name] for name in unread},
            dropped=(*weights.dropped, *fixed),
            notes=(*weights.notes, *notes),
        )

    def write(self, weights: Weights) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        encoder, decoder = (table.write(weights.params) for table in (self.table, self.decoder))
        for path in set(encoder[1]) & set(decoder[1]):
            if not carries_nothing(path, weights.params[path]):
                raise UserError(f"{self.name} has no name for {path}; write another format.")
        leaves = {**encoder[0], **decoder[0], **self._positions(weights)}
        return leaves, {} if self.hub is None else self.hub.files(weights)

    def _model(self, params: Leaves, config: Mapping[str, Any]) -> dict[str, Any]:
        model = super()._model(params, config)
        del model["classifier"]
        patch = model.pop("patch_size", None) or model.pop("tubelet_size")
        normalize = True if "Transformer/encoder_norm/scale" in params else "decoder"
        model |= {"patch_size": patch, "normalize": normalize, **self.fields(config)}
        if "posembed_input/pos_embedding" not in params:
            return model
        return model | {
            "positions": "learned",
            "decoder_positions": "learned",
            "class_positions": True,
        }

    def _image_size(self, leaves: Leaves) -> int:
        """By the number of positions, or else as in the paper."""
        if not self.tables:
            return 224
        return image_size_of(leaves[self.tables[0]], leaves[self.patch_kernel])

    def _has_fixed_positions(self, leaves: Leaves) -> bool:
        """Whether the positions that a file holds are the fixed ones, and not learned."""
        return all(_is_fixed(np.asarray(leaves[name])) for name in self.tables)

    def _positions(self, weights: Weights) -> dict[str, np.ndarray]:
        if not self.tables or "posembed_input/pos_embedding" in weights.params:
            return {}
        if "rgb" not in weights.inputs:
            raise UserError(
                f"{self.name} holds the positions of its tokens, but the size of the images that "
                "these weights take is not known; write another format."
            )
        params = weights.params
        patch = params["embedding/kernel"].shape[:2]
        sizes = zip(weights.inputs["rgb"][-2:], patch, strict=True)
        grid = tuple(pixels // side for pixels, side in sizes)
        widths = (params["cls"].shape[-1], params["mask_token"].shape[-1])
        return {x: with_class_row(grid, d) for x, d in zip(self.tables, widths, strict=True)}


def _is_fixed(table: np.ndarray) -> bool:
    if table.ndim != 3:
        return False
    side = math.isqrt(table.shape[1] - 1)
    if side**2 != table.shape[1] - 1:
        return False
    tolerance = 1e-5 if table.dtype == np.float32 else 1e-2
    fixed = with_class_row((side, side), table.shape[2])
    return np.allclose(table.astype(np.float32), fixed, atol=tolerance)


def with_class_row(grid: tuple[int, ...], width: int) -> np.ndarray:
    """The fixed positions [1, 1 + n, d] of a grid, after zeros for a class token."""
    return np.pad(sinusoidal_positions(grid, width), ((1, 0), (0, 0)))[None]


def sizes_of_decoder(params: Leaves) -> dict[str, int]:
    """The fields of an autoencoder that follow from the parameters of its decoder."""
    first = DECODER_BLOCK.replace("{i}", "0")
    layers = {path.split("/")[1] for path in params if path.startswith(f"{DECODER}/encoderblock_")}
    return {
        "decoder_hidden_size": params["mask_token"].shape[-1],
        "decoder_mlp_dim": shape_of(params, f"{first}/MlpBlock_0/Dense_0/kernel")[-1],
        "decoder_num_layers": len(layers),
        "decoder_num_heads": shape_of(params, f"{first}/{SELF_ATTENTION}/query/kernel")[1],
    }


def decoder_fields(module: Any) -> dict[str, Any]:
    """Those of a config.json of Hugging Face, of a `MaskedAutoencoder`."""
    return {
        "decoder_hidden_size": module.decoder_hidden_size,
        "decoder_num_hidden_layers": module.decoder_num_layers,
        "decoder_num_attention_heads": module.decoder_num_heads,
        "decoder_intermediate_size": module.decoder_mlp_dim,
        "norm_pix_loss": module.standardize != "none",
    }


def decoder_table(names: Sequence[str], rules: Iterable[Rule]) -> NameTable:
    """The rules of a decoder, by the foreign `names` of its mask token, its last norm and its head;
    `rules` are those of the projection before it, and of a block."""
    mask, last_norm, head = names
    return NameTable(
        (
            Rule(mask, "mask_token"),
            *norm(last_norm, f"{DECODER}/encoder_norm"),
            *dense(head, HEAD),
            *rules,
        )
    )


def _split_class_row(table: np.ndarray, _: int) -> tuple[np.ndarray, ...]:
    return table[:, 1:], table[:, :1]


def _with_class_row(arrays: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.concatenate([arrays[1], arrays[0]], axis=1)


CLASS_ROW = Layout("positions, that of the class token first", _split_class_row, _with_class_row)


def positions(foreign: str, ours: str) -> Rule:
    """Positions that are not the fixed ones."""
    paths = (f"{ours}/pos_embedding", f"{ours}_cls/pos_embedding")
    return Rule(foreign, paths, CLASS_ROW)
