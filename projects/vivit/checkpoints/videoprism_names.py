"""The names of VideoPrism's parameters in its public code and in Hugging Face's."""

import math

import numpy as np
from einops import rearrange

from scenic_video.weights.families.blocks import (
    HEAD,
    QKV,
    SELF_ATTENTION,
    flax_layer,
    patches,
    transformers_block,
)
from scenic_video.weights.families.layouts import SAME, TABLE, Arrays, Layout, by_einops
from scenic_video.weights.families.names import (
    NameTable,
    Rule,
    attention_output,
    dense,
    norm,
    projection,
)

SPATIAL, TEMPORAL = "SpatialTransformer", "TemporalTransformer"
POOLER = "attention_pooler"
POOLER_ATTENTION = f"{POOLER}/{SELF_ATTENTION}"


def _read_patches(kernel: np.ndarray, _: int) -> Arrays:
    side = math.isqrt(len(kernel) // 3)
    return (rearrange(kernel, "(h w c) d -> h w c d", h=side, w=side, c=3),)


FLAT_PATCHES = Layout(
    "(h w c) d of square patches in RGB",
    _read_patches,
    lambda arrays: rearrange(arrays[0], "h w c d -> (h w c) d"),
)
PATCHES_OF_FRAMES = by_einops("o c 1 h w", "h w c o")
POST = by_einops("o heads d", "heads d o")
"""The kernel of an attention's output, with the axes of the other three."""


def _flax_encoder(name: str, ours: str) -> tuple[Rule, ...]:
    block, own = f"{name}_encoder/transformers_stack/x_layers_{{i}}", f"{ours}/encoderblock_{{i}}"
    attention, own_attention = f"{block}/self_attention", f"{own}/{SELF_ATTENTION}"
    norms = {
        f"{name}_ln": f"{ours}/encoder_norm",
        f"{block}/layer_norm": f"{own}/LayerNorm_0",
        f"{block}/ff_layer/layer_norm": f"{own}/LayerNorm_1",
    }
    layers = [
        rule
        for x in (*QKV, "out")
        for rule in (
            Rule(
                f"{attention}/{'post' if x == 'out' else x}/w",
                f"{own_attention}/{x}/kernel",
                POST if x == "out" else SAME,
            ),
            Rule(f"{attention}/{'post' if x == 'out' else x}/b", f"{own_attention}/{x}/bias"),
        )
    ]
    return (
        Rule(f"{name}_pos_emb/emb_var", f"{ours}/posembed_input/pos_embedding", TABLE),
        *(rule for old, new in norms.items() for rule in flax_layer(old, new, ("scale", "bias"))),
        *layers,
        *flax_layer(f"{block}/ff_layer/ffn_layer1/linear", f"{own}/MlpBlock_0/Dense_0"),
        *flax_layer(f"{block}/ff_layer/ffn_layer2/linear", f"{own}/MlpBlock_0/Dense_1"),
    )


FLAX = NameTable(
    (
        Rule("patch_projection/linear/kernel", "embedding/kernel", FLAT_PATCHES),
        Rule("patch_projection/linear/bias", "embedding/bias"),
        *_flax_encoder("spatial", SPATIAL),
        *_flax_encoder("temporal", TEMPORAL),
    )
)
"""The names of the public code, with one path per layer."""


def hugging_face(prefix: str = "") -> NameTable:
    """Hugging Face's names of the encoder, with the `prefix` that it has in a larger model."""
    embeddings = f"{prefix}spatial_embeddings"
    positions = "posembed_input/pos_embedding"
    encoders = ((1, "spatial", SPATIAL), (2, "temporal", TEMPORAL))
    return NameTable(
        (
            *patches(f"{embeddings}.patch_embeddings.projection", layout=PATCHES_OF_FRAMES),
            *(
                rule
                for number, name, ours in encoders
                for rule in (
                    Rule(f"{prefix}{name}_embeddings.position_embeddings", f"{ours}/{positions}"),
                    *transformers_block(
                        f"{prefix}{name}_layers.{{i}}", f"{ours}/encoderblock_{{i}}"
                    ),
                    *norm(f"{prefix}layernorm{number}", f"{ours}/encoder_norm"),
                )
            ),
        )
    )


CLASSIFIER = NameTable(
    (
        *hugging_face("vision_model.").rules,
        Rule("head.pooling_attention_query", f"{POOLER}/query"),
        Rule("head.per_dim_scale", f"{POOLER}/per_dim_scale"),
        *(r for x in QKV for r in projection(f"head.{x[0]}_proj", f"{POOLER_ATTENTION}/{x}")),
        *attention_output("head.o_proj", f"{POOLER_ATTENTION}/out"),
        *norm("head_layernorm", f"{POOLER}/LayerNorm_0"),
        *dense("classifier", HEAD),
    )
)
"""Hugging Face's names of an encoder with a pooler and a head."""
