"""VideoMAE after fine-tuning (Tong et al., NeurIPS 2022), by the names of Hugging Face and those of
its own files."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from projects.avmae.checkpoints.inputs import with_inputs
from projects.avmae.checkpoints.video_mae_names import BIASES, hub_block, own_block
from scenic_video.errors import UserError
from scenic_video.weights.families.blocks import BLOCK, ENCODER, HEAD, patches
from scenic_video.weights.families.family import Weights
from scenic_video.weights.families.hub_files import HubModel, square_patch
from scenic_video.weights.families.layouts import TUBELETS
from scenic_video.weights.families.names import Leaves, NameTable, dense, norm
from scenic_video.weights.families.towers import Tower

TARGET = "projects.avmae.finetuning.model:PretrainedViT"
POOLED_NORM = "encoder_norm"
"""The LayerNorm after pooling."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FineTunedVideoMAE(Tower):
    """A tower with fixed positions and a norm after the mean over tokens, or before the first."""

    target: str = TARGET
    patch_axes: int = 3
    exact_gelu: bool = True

    def read(self, leaves: Leaves, metadata: Mapping[str, Any]) -> Weights:
        metadata, notes = with_inputs(metadata, num_frames=16, image_size=224)
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


def _patches_on_the_hub(module: Any, size: tuple[int, int, int]) -> dict[str, Any]:
    time, *patch = module.patch_size
    pooled = module.normalize == "pooled"
    if (module.classifier, pooled) not in (("gap", True), ("0", False)):
        raise UserError(
            "VideoMAE normalises the mean over tokens, or classifies the first one; this model has "
            f"classifier={module.classifier!r} and normalize={module.normalize!r}."
        )
    return {
        "num_frames": size[0],
        "tubelet_size": int(time),
        "patch_size": square_patch(patch),
        "use_mean_pooling": pooled,
    }


HUB = HubModel(
    "VideoMAEForVideoClassification",
    "videomae",
    {"modality": "rgb", "positions": "sinusoidal_1d", "representation_size": None},
    _patches_on_the_hub,
    "VideoMAEImageProcessor",
)


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
    is_written = (prefix, biases) == ("videomae.", BIASES[0])
    words = "" if biases == BIASES[0] else ", names of transformers 5"
    return FineTunedVideoMAE(
        name=f"VideoMAE of Hugging Face{words}",
        table=table,
        signs=(f"{layers}.0.attention.attention.{biases[0]}",),
        absent=("encoder_to_decoder.weight",),
        patch_kernel=f"{embedding}.weight",
        norm_epsilon=1e-12,
        **({"hub": HUB, "formats": ("hf-safetensors",)} if is_written else {}),
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
        formats=("videomae-pth",),
        patch_kernel="patch_embed.proj.weight",
    )


FINE_TUNED = (
    *(_hugging_face(prefix, biases) for prefix in ("videomae.", "") for biases in BIASES),
    _own(),
)
