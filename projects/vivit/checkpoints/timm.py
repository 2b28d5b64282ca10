"""Plain vision transformers by the names of timm, which DeiT, DINO v1 and MAE share."""

from collections.abc import Mapping
from typing import Any

from projects.vivit.checkpoints.towers import IMAGES
from scenic_video.errors import UserError
from scenic_video.weights.families.blocks import latent_pooling
from scenic_video.weights.families.family import Weights
from scenic_video.weights.families.names import Leaves, NameTable
from scenic_video.weights.families.timm_config import with_words_of_hugging_face
from scenic_video.weights.families.towers import Tower
from scenic_video.weights.families.vision_transformers import TIMM

SIGNS = ("pos_embed", "blocks.0.attn.qkv.weight", "blocks.0.norm1.weight")
CLASS_TOKEN, LATENT, HEAD = "cls_token", "attn_pool.latent", "head.weight"
DECODER, POOLED_NORM = "decoder_embed.weight", "fc_norm.weight"
"""Of MAE, with its decoder or after fine-tuning."""


class TimmTower(Tower):
    """A tower that may have a config.json of timm beside it."""

    def read(self, leaves: Leaves, metadata: Mapping[str, Any]) -> Weights:
        pooling = (metadata.get("config") or {}).get("global_pool", "token")
        if pooling != "token" and {CLASS_TOKEN, HEAD} <= leaves.keys():
            raise UserError(
                f"The config.json of this ViT of timm states global_pool={pooling!r}, a head that "
                "does not take the class token although there is one, which no model here has."
            )
        return super().read(leaves, with_words_of_hugging_face(metadata))


def _timm(words: str, signs: tuple[str, ...], absent: tuple[str, ...]) -> TimmTower:
    return TimmTower(
        name=f"ViT in timm's names{words}",
        table=NameTable((*TIMM.rules, *latent_pooling("attn_pool"))),
        target=IMAGES,
        signs=(*SIGNS, *signs),
        absent=absent,
        patch_kernel="patch_embed.proj.weight",
        exact_gelu=True,
    )


TIMM_TOWERS = (
    _timm("", (CLASS_TOKEN,), (DECODER, POOLED_NORM)),
    _timm(", with attention pooling", (LATENT,), (CLASS_TOKEN,)),
    _timm(", with the mean over patches", ("norm.weight",), (CLASS_TOKEN, LATENT)),
)
