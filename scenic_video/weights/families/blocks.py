"""Rules for the parts of vision transformers, by the names of other libraries."""

from collections.abc import Iterable

from scenic_video.weights.families.layouts import (
    HEADS_BIAS,
    HEADS_IN,
    PATCHES,
    Layout,
    fused,
)
from scenic_video.weights.families.names import (
    Rule,
    attention_output,
    dense,
    norm,
    projection,
)

ENCODER = "Transformer"
BLOCK = f"{ENCODER}/encoderblock_{{i}}"
POSITIONS = f"{ENCODER}/posembed_input/pos_embedding"
SELF_ATTENTION = "MultiHeadDotProductAttention_0"
QKV = ("query", "key", "value")
HEAD = "output_projection"


def timm_block(foreign: str, ours: str, part: str = "encoder") -> tuple[Rule, ...]:
    """A block in timm's names, with one projection for query, key and value."""
    attention = f"{ours}/{SELF_ATTENTION}"
    return (
        *norm(f"{foreign}.norm1", f"{ours}/LayerNorm_0"),
        *fused_projection(f"{foreign}.attn.qkv", attention, part),
        *attention_output(f"{foreign}.attn.proj", f"{attention}/out", part),
        *norm(f"{foreign}.norm2", f"{ours}/LayerNorm_1"),
        *dense(f"{foreign}.mlp.fc1", f"{ours}/MlpBlock_0/Dense_0"),
        *dense(f"{foreign}.mlp.fc2", f"{ours}/MlpBlock_0/Dense_1"),
    )


def fused_projection(foreign: str, ours: str, part: str = "encoder") -> tuple[Rule, ...]:
    """Query, key and value of an attention in one array: weight [3 heads x d, in] and bias."""
    kernels, biases = (tuple(f"{ours}/{x}/{leaf}" for x in QKV) for leaf in ("kernel", "bias"))
    return (
        Rule(f"{foreign}.weight", kernels, fused(HEADS_IN), part),
        Rule(f"{foreign}.bias", biases, fused(HEADS_BIAS), part),
    )


def hub_block(foreign: str, ours: str, part: str = "encoder") -> tuple[Rule, ...]:
    """A block in the names of files on Hugging Face's hub."""
    attention = f"{ours}/{SELF_ATTENTION}"
    return (
        *norm(f"{foreign}.layernorm_before", f"{ours}/LayerNorm_0"),
        *_three(f"{foreign}.attention.attention.{{}}", attention, QKV, part),
        *attention_output(f"{foreign}.attention.output.dense", f"{attention}/out", part),
        *norm(f"{foreign}.layernorm_after", f"{ours}/LayerNorm_1"),
        *dense(f"{foreign}.intermediate.dense", f"{ours}/MlpBlock_0/Dense_0"),
        *dense(f"{foreign}.output.dense", f"{ours}/MlpBlock_0/Dense_1"),
    )


def transformers_block(foreign: str, ours: str, part: str = "encoder") -> tuple[Rule, ...]:
    """A block in the names of the library transformers from version 5."""
    attention = f"{ours}/{SELF_ATTENTION}"
    short = ("q_proj", "k_proj", "v_proj")
    return (
        *norm(f"{foreign}.layernorm_before", f"{ours}/LayerNorm_0"),
        *_three(f"{foreign}.attention.{{}}", attention, short, part),
        *attention_output(f"{foreign}.attention.o_proj", f"{attention}/out", part),
        *norm(f"{foreign}.layernorm_after", f"{ours}/LayerNorm_1"),
        *dense(f"{foreign}.mlp.fc1", f"{ours}/MlpBlock_0/Dense_0"),
        *dense(f"{foreign}.mlp.fc2", f"{ours}/MlpBlock_0/Dense_1"),
    )


def siglip_block(foreign: str, ours: str) -> tuple[Rule, ...]:
    """A block in the names of CLIP and SigLIP."""
    attention = f"{ours}/{SELF_ATTENTION}"
    return (
        *norm(f"{foreign}.layer_norm1", f"{ours}/LayerNorm_0"),
        *_three(f"{foreign}.self_attn.{{}}", attention, ("q_proj", "k_proj", "v_proj")),
        *attention_output(f"{foreign}.self_attn.out_proj", f"{attention}/out"),
        *norm(f"{foreign}.layer_norm2", f"{ours}/LayerNorm_1"),
        *dense(f"{foreign}.mlp.fc1", f"{ours}/MlpBlock_0/Dense_0"),
        *dense(f"{foreign}.mlp.fc2", f"{ours}/MlpBlock_0/Dense_1"),
    )


def _three(
    foreign: str, ours: str, names: Iterable[str], part: str = "encoder"
) -> tuple[Rule, ...]:
    pairs = zip(names, QKV, strict=True)
    return tuple(
        rule
        for name, x in pairs
        for rule in projection(foreign.replace("{}", name), f"{ours}/{x}", part)
    )


def flax_block(path: str) -> tuple[Rule, ...]:
    """A block of a Flax model, whose names and layouts are those here."""
    attention = tuple(f"{SELF_ATTENTION}/{x}" for x in (*QKV, "out"))
    norms = [f"{path}/{x}" for x in ("LayerNorm_0", "LayerNorm_1")]
    layers = [f"{path}/{x}" for x in (*attention, "MlpBlock_0/Dense_0", "MlpBlock_0/Dense_1")]
    rules = [rule for layer in layers for rule in flax_layer(layer, layer)]
    return (*rules, *(rule for x in norms for rule in flax_layer(x, x, ("scale", "bias"))))


def flax_layer(
    foreign: str, ours: str, leaves: Iterable[str] = ("kernel", "bias")
) -> tuple[Rule, ...]:
    """A layer of a Flax model under another name."""
    return tuple(Rule(f"{foreign}/{leaf}", f"{ours}/{leaf}") for leaf in leaves)


def map_head(foreign: str, ours: str = "MAPHead_0") -> tuple[Rule, ...]:
    """The pooling head of SigLIP in PyTorch's names."""
    attention = f"{ours}/{SELF_ATTENTION}"
    weights, biases = (tuple(f"{attention}/{x}/{leaf}" for x in QKV) for leaf in ("kernel", "bias"))
    return (
        Rule(f"{foreign}.probe", f"{ours}/probe"),
        Rule(f"{foreign}.attention.in_proj_weight", weights, fused(HEADS_IN)),
        Rule(f"{foreign}.attention.in_proj_bias", biases, fused(HEADS_BIAS)),
        *attention_output(f"{foreign}.attention.out_proj", f"{attention}/out"),
        *norm(f"{foreign}.layernorm", f"{ours}/LayerNorm_0"),
        *dense(f"{foreign}.mlp.fc1", f"{ours}/MlpBlock_0/Dense_0"),
        *dense(f"{foreign}.mlp.fc2", f"{ours}/MlpBlock_0/Dense_1"),
    )


def patches(foreign: str, ours: str = "embedding", layout: Layout = PATCHES) -> tuple[Rule, ...]:
    """The patch embedding, a convolution in PyTorch."""
    return (
        Rule(f"{foreign}.weight", f"{ours}/kernel", layout),
        Rule(f"{foreign}.bias", f"{ours}/bias"),
    )
