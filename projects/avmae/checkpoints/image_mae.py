"""MAE after fine-tuning on images (He et al., CVPR 2022), and other ViTs of timm that normalise the
mean over patches."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from projects.avmae.checkpoints.autoencoders import positions
from projects.avmae.checkpoints.inputs import image_size_of, with_inputs
from projects.avmae.checkpoints.video_mae import POOLED_NORM, TARGET
from scenic_video.weights.families.blocks import BLOCK, HEAD, patches, timm_block
from scenic_video.weights.families.family import Weights
from scenic_video.weights.families.names import Leaves, NameTable, Rule, dense, norm
from scenic_video.weights.families.timm_config import with_words_of_hugging_face
from scenic_video.weights.families.towers import Tower

TABLE = "pos_embed"


class FineTunedMAE(Tower):
    """A tower with a class token that is not pooled, and learned positions."""

    def read(self, leaves: Leaves, metadata: Mapping[str, Any]) -> Weights:
        size = image_size_of(leaves[TABLE], leaves[self.patch_kernel])
        metadata = with_words_of_hugging_face(metadata)
        metadata, notes = with_inputs(metadata, num_frames=1, image_size=size)
        weights = super().read(leaves, metadata)
        return dataclasses.replace(weights, notes=(*weights.notes, *notes))

    def _model(self, params: Leaves, config: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **super()._model(params, config),
            "positions": "learned",
            "class_positions": True,
            "class_token": True,
            "classifier": "gap",
            "normalize": "pooled",
        }


IMAGE_MAE = (
    FineTunedMAE(
        name="MAE after fine-tuning",
        table=NameTable(
            (
                Rule("cls_token", "cls"),
                positions(TABLE, "posembed_input"),
                *patches("patch_embed.proj"),
                *timm_block("blocks.{i}", BLOCK),
                *norm("fc_norm", POOLED_NORM),
                *dense("head", HEAD),
            )
        ),
        target=TARGET,
        signs=("cls_token", TABLE, "fc_norm.weight", "blocks.0.attn.qkv.weight"),
        absent=("norm.weight",),
        patch_kernel="patch_embed.proj.weight",
        exact_gelu=True,
    ),
)
