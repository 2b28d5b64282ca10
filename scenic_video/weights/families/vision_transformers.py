"""Names of plain vision transformers in other libraries."""

from scenic_video.weights.families.layouts import (
    HEADS_BIAS,
    HEADS_IN,
    PATCHES,
    SAME,
    fused,
)
from scenic_video.weights.families.names import (
    NameTable,
    Rule,
    attention_output,
    dense,
    norm,
    projection,
)

BLOCK = "Transformer/encoderblock_{i}"
ATTENTION = f"{BLOCK}/MultiHeadDotProductAttention_0"
QKV = ("query", "key", "value")

TIMM = NameTable(
    (
        Rule("cls_token", "cls"),
        Rule("pos_embed", "Transformer/posembed_input/pos_embedding"),
        Rule("patch_embed.proj.weight", "embedding/kernel", PATCHES),
        Rule("patch_embed.proj.bias", "embedding/bias"),
        *norm("blocks.{i}.norm1", f"{BLOCK}/LayerNorm_0"),
        Rule(
            "blocks.{i}.attn.qkv.weight",
            tuple(f"{ATTENTION}/{x}/kernel" for x in QKV),
            fused(HEADS_IN),
        ),
        Rule(
            "blocks.{i}.attn.qkv.bias",
            tuple(f"{ATTENTION}/{x}/bias" for x in QKV),
            fused(HEADS_BIAS),
        ),
        *attention_output("blocks.{i}.attn.proj", f"{ATTENTION}/out"),
        *norm("blocks.{i}.norm2", f"{BLOCK}/LayerNorm_1"),
        *dense("blocks.{i}.mlp.fc1", f"{BLOCK}/MlpBlock_0/Dense_0"),
        *dense("blocks.{i}.mlp.fc2", f"{BLOCK}/MlpBlock_0/Dense_1"),
        *norm("norm", "Transformer/encoder_norm"),
        *dense("head", "output_projection"),
    )
)
"""timm's names, which DeiT, MAE and DINO v1 have too."""

HUGGING_FACE = NameTable(
    (
        Rule("embeddings.cls_token", "cls"),
        Rule("embeddings.position_embeddings", "Transformer/posembed_input/pos_embedding"),
        Rule("embeddings.patch_embeddings.projection.weight", "embedding/kernel", PATCHES),
        Rule("embeddings.patch_embeddings.projection.bias", "embedding/bias", SAME),
        *norm("encoder.layer.{i}.layernorm_before", f"{BLOCK}/LayerNorm_0"),
        *(
            rule
            for x in QKV
            for rule in projection(
                f"encoder.layer.{{i}}.attention.attention.{x}", f"{ATTENTION}/{x}"
            )
        ),
        *attention_output("encoder.layer.{i}.attention.output.dense", f"{ATTENTION}/out"),
        *norm("encoder.layer.{i}.layernorm_after", f"{BLOCK}/LayerNorm_1"),
        *dense("encoder.layer.{i}.intermediate.dense", f"{BLOCK}/MlpBlock_0/Dense_0"),
        *dense("encoder.layer.{i}.output.dense", f"{BLOCK}/MlpBlock_0/Dense_1"),
        *norm("layernorm", "Transformer/encoder_norm"),
        *dense("classifier", "output_projection"),
    )
)
"""Hugging Face's names for ViT, without the model's prefix ("vit.", "deit.")."""
