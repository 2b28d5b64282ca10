"""VideoMAE after fine-tuning (Tong et al., NeurIPS 2022), by the names of Hugging Face and those of
its own files."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from scenic_video.weights.families.blocks import (
    BLOCK,
    ENCODER,
    HEAD,
    MLP,
    QKV,
    SELF_ATTENTION,
    patches,
    rest_of_block,
)
from scenic_video.weights.families.family import Weights
from scenic_video.weights.families.layouts import (
    HEADS_BIAS,
    HEADS_IN,
    TUBELETS,
    fused,
)
from scenic_video.weights.families.names import Leaves, NameTable, Rule, dense, norm
from scenic_video.weights.families.towers import Tower

TARGET = "projects.avmae.finetuning.model:PretrainedViT"
POOLED_NORM = "encoder_norm"
"""The LayerNorm after pooling."""

INPUTS = {"num_frames": 16, "image_size": 224}
PIXELS = {"image_mean": (0.485, 0.456, 0.406), "image_std": (0.229, 0.224, 0.225)}
"""What the models of the paper take, where a file does not say."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FineTunedVideoMAE(Tower):
    """A tower with fixed positions and a norm after the mean over tokens, or before the first."""

    target: str = TARGET
    patch_axes: int = 3
    exact_gelu: bool = True

    def read(self, leaves: Leaves, metadata: Mapping[str, Any]) -> Weights:
        metadata, notes = with_inputs_of_the_paper(metadata)
        weights = super().read(leaves, metadata)
        return dataclasses.replace(weights, notes=(*weights.notes, *notes))

    def _model(self, params: Leaves, config: Mapping[str, Any]) -> dict[str, Any]:
        fields = super()._model(params, config)
        patch = fields.pop("tubelet_size")
        pooled = f"{POOLED_NORM}/scale" in params
        return {
            **fields,
            "patch_size": patch,
            "positions": "sinusoidal_1d",
            "classifier": "gap" if pooled else "0",
            "normalize": "pooled" if pooled else "tokens",
        }


def with_inputs_of_the_paper(
    metadata: Mapping[str, Any],
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """`metadata` with the inputs of VideoMAE where it does not say, and a note on that."""
    said = metadata.get("config") or {}
    files = {
        "config": {**INPUTS, **said},
        "preprocessor_config": {**PIXELS, **(metadata.get("preprocessor_config") or {})},
    }
    note = (
        "no config.json says what its inputs are: 16 frames of 224 pixels, with ImageNet's mean "
        "and deviation, are those of the paper"
    )
    return {**metadata, **files}, () if said else (note,)


def hub_block(foreign: str, ours: str, biases: tuple[str, str]) -> tuple[Rule, ...]:
    """A block in Hugging Face's names; `biases` are those of query and value."""
    attention, here = f"{foreign}.attention.attention", f"{ours}/{SELF_ATTENTION}"
    layers = ("layernorm_before", "attention.output.dense", "layernorm_after")
    return (
        *(Rule(f"{attention}.{x}.weight", f"{here}/{x}/kernel", HEADS_IN) for x in QKV),
        *_biases((f"{attention}.{x}" for x in biases), here),
        *rest_of_block(foreign, ours, (*layers, "intermediate.dense", "output.dense")),
    )


def own_block(foreign: str, ours: str) -> tuple[Rule, ...]:
    """A block in VideoMAE's own names: one kernel for query, key and value, and no key bias."""
    attention, here = f"{foreign}.attn", f"{ours}/{SELF_ATTENTION}"
    kernels = tuple(f"{here}/{x}/kernel" for x in QKV)
    return (
        Rule(f"{attention}.qkv.weight", kernels, fused(HEADS_IN)),
        *_biases((f"{attention}.{x}" for x in ("q_bias", "v_bias")), here),
        *rest_of_block(foreign, ours, ("norm1", "attn.proj", "norm2", *MLP)),
    )


def _biases(foreign: Iterable[str], ours: str) -> tuple[Rule, ...]:
    names = zip(foreign, ("query", "value"), strict=True)
    return tuple(Rule(name, f"{ours}/{x}/bias", HEADS_BIAS) for name, x in names)


BIASES = (("q_bias", "v_bias"), ("query.bias", "value.bias"))
"""Of the files on the hub, and of transformers in memory from version 5."""


def _hugging_face(prefix: str, biases: tuple[str, str]) -> FineTunedVideoMAE:
    layers, embedding = f"{prefix}encoder.layer", f"{prefix}embeddings.patch_embeddings.projection"
    table = NameTable(
        (
            *patches(embedding, layout=TUBELETS),
            *hub_block(f"{layers}.{{i}}", BLOCK, biases),
            *norm(f"{prefix}layernorm", f"{ENCODER}/encoder_norm"),
            *norm("fc_norm", POOLED_NORM),
            *dense("classifier", HEAD),
        )
    )
    words = "" if biases == BIASES[0] else ", names of transformers 5"
    return FineTunedVideoMAE(
        name=f"VideoMAE of Hugging Face{words}",
        table=table,
        signs=(f"{layers}.0.attention.attention.{biases[0]}",),
        absent=("encoder_to_decoder.weight",),
        patch_kernel=f"{embedding}.weight",
        norm_epsilon=1e-12,
    )


def _own() -> FineTunedVideoMAE:
    table = NameTable(
        (
            *patches("patch_embed.proj", layout=TUBELETS),
            *own_block("blocks.{i}", BLOCK),
            *norm("norm", f"{ENCODER}/encoder_norm"),
            *norm("fc_norm", POOLED_NORM),
            *dense("head", HEAD),
        )
    )
    return FineTunedVideoMAE(
        name="VideoMAE in its own names",
        table=table,
        signs=("blocks.0.attn.q_bias", "blocks.0.attn.qkv.weight"),
        patch_kernel="patch_embed.proj.weight",
    )


FINE_TUNED = (
    *(_hugging_face(prefix, biases) for prefix in ("videomae.", "") for biases in BIASES),
    _own(),
)
