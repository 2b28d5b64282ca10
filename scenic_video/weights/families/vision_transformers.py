"""Names of plain vision transformers in other libraries, and of a `VisionTransformer` here."""

from scenic_video.weights.families.blocks import (
    BLOCK,
    ENCODER,
    HEAD,
    POSITIONS,
    QKV,
    SELF_ATTENTION,
    flax_block,
    flax_layer,
    hub_block,
    map_head,
    patches,
    siglip_block,
    timm_block,
    transformers_block,
)
from scenic_video.weights.families.layouts import PATCHES, TABLE, Layout
from scenic_video.weights.families.names import NameTable, Rule, dense, norm

TIMM = NameTable(
    (
        Rule("cls_token", "cls"),
        Rule("dist_token", "cls_distillation"),
        Rule("pos_embed", POSITIONS),
        *patches("patch_embed.proj"),
        *timm_block("blocks.{i}", BLOCK),
        *norm("norm", f"{ENCODER}/encoder_norm"),
        *dense("pre_logits.fc", "pre_logits"),
        *dense("head", HEAD),
    )
)
"""timm's names, which DeiT, MAE and DINO v1 have too."""


def hugging_face(prefix: str, *, hub: bool = True, layout: Layout = PATCHES) -> NameTable:
    """Hugging Face's names of ViT, DeiT, MAE and ViViT, with the model's `prefix` ("vit."): those
    of files on the hub, or of the library from version 5 in memory."""
    block = hub_block if hub else transformers_block
    layers = "encoder.layer" if hub else "layers"
    return NameTable(
        (
            Rule(f"{prefix}embeddings.cls_token", "cls"),
            Rule(f"{prefix}embeddings.distillation_token", "cls_distillation"),
            Rule(f"{prefix}embeddings.position_embeddings", POSITIONS),
            *patches(f"{prefix}embeddings.patch_embeddings.projection", layout=layout),
            *block(f"{prefix}{layers}.{{i}}", BLOCK),
            *norm(f"{prefix}layernorm", f"{ENCODER}/encoder_norm"),
            *dense("classifier", HEAD),
        )
    )


def siglip(prefix: str, *, layout: Layout = PATCHES) -> NameTable:
    """Hugging Face's names of SigLIP's image tower, with the model's `prefix`."""
    return NameTable(
        (
            Rule(f"{prefix}embeddings.position_embedding.weight", POSITIONS, TABLE),
            *patches(f"{prefix}embeddings.patch_embedding", layout=layout),
            *siglip_block(f"{prefix}encoder.layers.{{i}}", BLOCK),
            *norm(f"{prefix}post_layernorm", f"{ENCODER}/encoder_norm"),
            *map_head(f"{prefix}head"),
            *dense("classifier", HEAD),
        )
    )


def flax_tower(head: str) -> NameTable:
    """The names of vision_transformer, big_vision and Scenic, which differ in that of the head."""
    pooling = "MAPHead_0"
    attention = tuple(f"{SELF_ATTENTION}/{x}" for x in (*QKV, "out"))
    layers = [f"{pooling}/{x}" for x in (*attention, "MlpBlock_0/Dense_0", "MlpBlock_0/Dense_1")]
    norms = (f"{ENCODER}/encoder_norm", f"{pooling}/LayerNorm_0")
    return NameTable(
        (
            *(Rule(path, path) for path in ("cls", POSITIONS, f"{pooling}/probe")),
            *(rule for x in norms for rule in flax_layer(x, x, ("scale", "bias"))),
            *(r for x in (*layers, "embedding", "pre_logits") for r in flax_layer(x, x)),
            *flax_block(BLOCK),
            *flax_layer(head, HEAD),
        )
    )
