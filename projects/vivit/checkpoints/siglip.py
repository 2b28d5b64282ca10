"""Image towers of SigLIP and SigLIP 2, by the names of Hugging Face."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from einops import rearrange

from projects.vivit.checkpoints.towers import HUGGING_FACE, IMAGES
from scenic_video.errors import UserError
from scenic_video.weights.families import hub_files
from scenic_video.weights.families.family import Weights
from scenic_video.weights.families.layouts import PATCHES, Arrays, Layout
from scenic_video.weights.families.names import Leaves
from scenic_video.weights.families.towers import Tower
from scenic_video.weights.families.vision_transformers import siglip

CLASSIFIER = "classifier.weight"


class SigLIP(Tower):
    """A tower with attention pooling, or a classifier of the mean over patches, beside which the
    pooling that it does not use is saved too."""

    def read(self, leaves: Leaves, metadata: Mapping[str, Any]) -> Weights:
        config = metadata.get("config") or {}
        metadata = {**metadata, "config": {**config, **config.get("vision_config", {})}}
        if CLASSIFIER not in leaves:
            return super().read(leaves, metadata)
        pooling = self.patch_kernel.partition("embeddings.")[0] + "head."
        unused = tuple(name for name in leaves if name.startswith(pooling))
        weights = super().read({x: leaves[x] for x in leaves if x not in unused}, metadata)
        note = "its classifier reads the mean over patches, so its attention pooling is not used"
        return dataclasses.replace(
            weights, dropped=(*weights.dropped, *unused), notes=(*weights.notes, note)
        )


class NaFlex(SigLIP):
    """SigLIP 2 for images of any size, whose patches are flattened before a linear layer.

    It is read for squares of the size that its positions are for, which are then not resized.
    """

    def matches(self, leaves: Mapping[str, Any]) -> bool:
        shape = leaves[self.patch_kernel].shape if self.patch_kernel in leaves else ()
        return leaves.keys() >= set(self.signs) and len(shape) == 2

    def read(self, leaves: Leaves, metadata: Mapping[str, Any]) -> Weights:
        weights = super().read(leaves, metadata)
        if not weights.inputs:
            raise UserError(
                "The positions of this SigLIP 2 are for no square of patches; ViT here takes images"
                " of one size, so it cannot hold them."
            )
        size = "x".join(map(str, weights.inputs["rgb"][1:]))
        note = f"it takes images of any size; here it takes {size} pixels, which its positions fit"
        return dataclasses.replace(weights, notes=(*weights.notes, note))


def _square_patches(array: np.ndarray, heads: int) -> Arrays:
    side = math.isqrt(array.shape[1] // 3)
    return (rearrange(array, "o (h w c) -> h w c o", h=side, w=side, c=3),)


FLAT_PATCHES = Layout(
    "o (h w 3) to h w 3 o",
    _square_patches,
    lambda arrays: rearrange(arrays[0], "h w c o -> o (h w c)"),
)


def _siglip(prefix: str, *, flat: bool) -> SigLIP:
    """With the model's `prefix`; `flat` is NaFlex."""
    kind, name = (NaFlex, "SigLIP 2 (NaFlex)") if flat else (SigLIP, "SigLIP")
    written = (prefix, flat) == ("vision_model.", False)
    return kind(
        name=f"{name}'s image tower of Hugging Face",
        table=siglip(prefix, layout=FLAT_PATCHES if flat else PATCHES),
        target=IMAGES,
        signs=(f"{prefix}encoder.layers.0.self_attn.q_proj.weight", f"{prefix}head.probe"),
        patch_kernel=f"{prefix}embeddings.patch_embedding.weight",
        fixed=(rf"{prefix}embeddings\.position_ids", r"text_model\..*", "logit_(scale|bias)"),
        **({"hub": hub_files.SIGLIP, "formats": (HUGGING_FACE,)} if written else {}),
    )


SIGLIP = tuple(
    _siglip(prefix, flat=flat) for prefix in ("", "vision_model.") for flat in (False, True)
)
