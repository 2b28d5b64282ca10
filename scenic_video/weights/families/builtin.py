"""Families of checkpoints that are recognised to say which of their parts no model here has.

Some of these parts have no parameters, such as rotary positions: the weights would load without an
error, and give wrong features.
"""

from scenic_video.weights.families.family import Family, Unsupported

FAMILIES: tuple[Family, ...] = (
    Unsupported(
        "DINOv3",
        ("embeddings.register_tokens", "layer.0.attention.q_proj.weight"),
        "with rotary positions, registers and LayerScale",
    ),
    Unsupported(
        "DINOv3 in timm's names",
        ("reg_token", "blocks.0.gamma_1"),
        "with rotary positions, registers and LayerScale",
    ),
    Unsupported(
        "DINOv2", ("encoder.layer.0.layer_scale1.lambda1",), "with LayerScale (layer_scale1)"
    ),
    Unsupported(
        "DINOv2 or another ViT with LayerScale",
        ("blocks.0.ls1.gamma",),
        "with the scales ls1 and ls2 of its branches",
    ),
    Unsupported(
        "V-JEPA 2",
        (
            "encoder.embeddings.patch_embeddings.proj.weight",
            "encoder.layer.0.attention.proj.weight",
        ),
        "with rotary positions",
    ),
    Unsupported(
        "V-JEPA", ("predictor_embed.weight", "blocks.0.attn.qkv.weight"), "with rotary positions"
    ),
    Unsupported(
        "BEiT or EVA",
        ("blocks.0.attn.q_bias", "blocks.0.gamma_1"),
        "with LayerScale and relative or rotary positions",
    ),
    Unsupported(
        "EVA-02",
        ("pos_embed", "blocks.0.attn.q_bias"),
        "with rotary positions",
    ),
    Unsupported(
        "Perception Encoder or CLIP",
        ("norm_pre.weight", "blocks.0.attn.qkv.weight"),
        "with a LayerNorm before its encoder",
    ),
    Unsupported(
        "TimeSformer",
        ("time_embeddings", "layer.0.temporal_dense.weight"),
        "with a linear layer after attention over time (temporal_dense) and a class token that "
        "only attends over space",
    ),
    Unsupported(
        "TimeSformer in its own names",
        ("time_embed", "blocks.0.temporal_fc.weight"),
        "with a linear layer after attention over time (temporal_fc) and a class token that only "
        "attends over space",
    ),
    Unsupported(
        "TimeSformer with joint attention",
        ("time_embeddings", "encoder.layer.0.attention.attention.qkv.weight"),
        "with a class token beside a table of times (time_embeddings) and one of places",
    ),
    Unsupported(
        "TimeSformer with attention over space only",
        ("timesformer.encoder.layer.0.attention.attention.qkv.weight",),
        "with an image model over the frames of a clip one by one",
    ),
)
