"""AST and AudioMAE, by the names of their authors, of Hugging Face and of timm."""

import abc
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from projects.avmae.checkpoints.spectrograms import (
    Patches,
    fixed_positions,
    patches_of_ast,
    patches_of_audiomae,
    preprocessing_of,
    with_patches_in_order,
)
from scenic_video.errors import UserError
from scenic_video.weights.families.blocks import BLOCK, ENCODER, HEAD, POSITIONS, timm_block
from scenic_video.weights.families.family import Family, Weights, number_of_heads
from scenic_video.weights.families.hugging_face import labels_of
from scenic_video.weights.families.layouts import by_einops
from scenic_video.weights.families.names import Leaves, NameTable, Rule, dense, norm
from scenic_video.weights.families.towers import sizes_of
from scenic_video.weights.families.vision_transformers import TIMM, hugging_face

TARGET = "projects.avmae.spectrograms.model:SpectrogramTransformer"
POOLED_NORM = "encoder_norm"
FREQUENCY_FIRST = by_einops("o c f t", "t f c o")
"""Patches of AST, whose images have the mel bins as rows and time as columns."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpectrogramFamily(Family):
    """Checkpoints of a `SpectrogramTransformer` that `table` covers.

    `patch_kernel` is the name of their patch embedding, and `sign` of another array that each has.
    `left` are patterns of arrays that are not read, described by `left_words`.
    """

    name: str
    table: NameTable
    patch_kernel: str
    sign: str
    left: str = ""
    left_words: str = ""

    def matches(self, leaves: Mapping[str, Any]) -> bool:
        shape = leaves[self.patch_kernel].shape if self.patch_kernel in leaves else ()
        return self.sign in leaves and len(shape) == 4 and shape[1] == 1

    def read(self, leaves: Leaves, metadata: Mapping[str, Any]) -> Weights:
        config = metadata.get("config") or {}
        dropped = tuple(name for name in leaves if re.fullmatch(self.left, name))
        kept = {name: x for name, x in leaves.items() if name not in dropped}
        heads = number_of_heads(kept[self.patch_kernel].shape[0], config.get("num_attention_heads"))
        params, unread = self.table.read(kept, heads=heads)
        patches = self._patches(params, config)
        params = self._read_positions(params, patches)
        preprocessing = preprocessing_of(metadata, patches.size)
        return Weights(
            family=self.name,
            params=params,
            model=self._model(params, config, patches),
            preprocessing=preprocessing,
            labels=labels_of(config),
            inputs={"audio": patches.size},
            grid=patches.grid,
            rest={name: kept[name] for name in unread},
            dropped=dropped,
            notes=self._notes(dropped, metadata),
        )

    def _notes(self, dropped: Sequence[str], metadata: Mapping[str, Any]) -> tuple[str, ...]:
        notes = [f"{self.left_words} ({len(dropped)} arrays) is not read"] if dropped else []
        if "mean" not in (metadata.get("preprocessor_config") or {}):
            notes.append(
                "no preprocessor_config.json says how its spectrograms are normalised: the mean and"
                " deviation are those of AudioSet"
            )
        return tuple(notes)

    def write(self, weights: Weights) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        if weights.grid is None:
            raise UserError(f"{self.name} needs the grid of patches, which is not known.")
        time, bins = weights.grid
        params = self._written_positions(weights.params, (time, bins))
        leaves, unwritten = self.table.write(params)
        if unwritten:
            raise UserError(
                f"{self.name} has no names for {', '.join(unwritten[:5])}; write another format."
            )
        return leaves, {}

    @abc.abstractmethod
    def _patches(self, params: Leaves, config: Mapping[str, Any]) -> Patches:
        """The grid, size and stride of the patches."""

    @abc.abstractmethod
    def _read_positions(self, params: Leaves, patches: Patches) -> Leaves:
        """`params` with positions in the order of the model, time first, or without fixed ones."""

    @abc.abstractmethod
    def _written_positions(self, params: Leaves, grid: tuple[int, int]) -> Leaves:
        """The inverse of `_read_positions`."""

    def _model(self, params: Leaves, config: Mapping[str, Any], patches: Patches) -> dict[str, Any]:
        pooled = f"{POOLED_NORM}/scale" in params
        of_tokens = f"{ENCODER}/encoder_norm/scale" in params
        return {
            "target": TARGET,
            **sizes_of(params),
            "patch_stride": patches.stride,
            "positions": "learned" if POSITIONS in params else "sinusoidal",
            "normalize": ("both" if pooled else "tokens") if of_tokens else "pooled",
            "exact_gelu": config.get("hidden_act", "gelu") == "gelu",
            "norm_epsilon": float(config.get("layer_norm_eps", 1e-6)),
        }


class AST(SpectrogramFamily):
    """Images [mel bins, time], with learned positions, two class tokens and overlapping patches."""

    def _patches(self, params: Leaves, config: Mapping[str, Any]) -> Patches:
        time, bins = params["embedding/kernel"].shape[:2]
        return patches_of_ast(config, (time, bins), params[POSITIONS].shape[1] - 2)

    def _read_positions(self, params: Leaves, patches: Patches) -> Leaves:
        table = with_patches_in_order(params[POSITIONS], patches.grid, order="f t -> t f")
        return {**params, POSITIONS: table}

    def _written_positions(self, params: Leaves, grid: tuple[int, int]) -> Leaves:
        table = with_patches_in_order(params[POSITIONS], grid, order="t f -> f t")
        return {**params, POSITIONS: table}


class AudioMAE(SpectrogramFamily):
    """Images [time, mel bins], with fixed positions and one class token; the mean of the patches is
    normalised in fine-tuned models."""

    def _patches(self, params: Leaves, config: Mapping[str, Any]) -> Patches:
        time, bins = params["embedding/kernel"].shape[:2]
        return patches_of_audiomae((time, bins), params[POSITIONS].shape[1] - 1)

    def _read_positions(self, params: Leaves, patches: Patches) -> Leaves:
        table = params[POSITIONS]
        if not np.allclose(fixed_positions(patches.grid, table.shape[-1]), table, atol=1e-5):
            return params  # they were trained
        return {path: x for path, x in params.items() if path != POSITIONS}

    def _written_positions(self, params: Leaves, grid: tuple[int, int]) -> Leaves:
        return {POSITIONS: fixed_positions(grid, params["cls"].shape[-1]), **params}

    def _model(self, params: Leaves, config: Mapping[str, Any], patches: Patches) -> dict[str, Any]:
        fields = super()._model(params, config, patches)
        return fields | {"classifier": "gap" if fields["normalize"] == "pooled" else "token"}


def _hugging_face(prefix: str, *, hub: bool) -> AST:
    body = hugging_face(prefix, hub=hub, layout=FREQUENCY_FIRST).rules
    body = tuple(rule for rule in body if not rule.foreign.startswith("classifier."))
    head = (*norm("classifier.layernorm", POOLED_NORM), *dense("classifier.dense", HEAD))
    query = "encoder.layer.0.attention.attention.query" if hub else "layers.0.attention.q_proj"
    return AST(
        name="AST of Hugging Face" + ("" if hub else ", names of transformers 5"),
        table=NameTable((*body, *head)),
        patch_kernel=f"{prefix}embeddings.patch_embeddings.projection.weight",
        sign=f"{prefix}{query}.weight",
    )


def _original() -> AST:
    kernel = "v.patch_embed.proj"
    rules = (
        Rule("v.cls_token", "cls"),
        Rule("v.dist_token", "cls_distillation"),
        Rule("v.pos_embed", POSITIONS),
        Rule(f"{kernel}.weight", "embedding/kernel", FREQUENCY_FIRST),
        Rule(f"{kernel}.bias", "embedding/bias"),
        *timm_block("v.blocks.{i}", BLOCK),
        *norm("v.norm", f"{ENCODER}/encoder_norm"),
        *norm("mlp_head.0", POOLED_NORM),
        *dense("mlp_head.1", HEAD),
    )
    return AST(
        name="AST of its authors",
        table=NameTable(rules),
        patch_kernel=f"{kernel}.weight",
        sign="v.dist_token",
        left=r"v\.head(_dist)?\..*",
        left_words="the head of the image model that it was trained from",
    )


def _audiomae() -> AudioMAE:
    return AudioMAE(
        name="AudioMAE",
        table=NameTable((*TIMM.rules, *norm("fc_norm", POOLED_NORM))),
        patch_kernel="patch_embed.proj.weight",
        sign="pos_embed",
        left=r"decoder_.*|mask_token",
        left_words="the decoder",
    )


SPECTROGRAMS: tuple[Family, ...] = (
    *(_hugging_face("audio_spectrogram_transformer.", hub=hub) for hub in (True, False)),
    *(_hugging_face("", hub=hub) for hub in (True, False)),
    _original(),
    _audiomae(),
)
