"""Rules for the parts of vision transformers, by the names of other libraries."""

from collections.abc import Iterable, Sequence

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
SHORT_QKV = ("q_proj", "k_proj", "v_proj")
MLP = ("mlp.fc1", "mlp.fc2")
HEAD = "output_projection"


def timm_block(foreign: str, ours: str) -> tuple[Rule, ...]:
    """A block in timm's names, with one projection for query, key and value."""
    qkv = f"{foreign}.attn.qkv"
    return (
        *fused_projection(f"{qkv}.weight", f"{qkv}.bias", f"{ours}/{SELF_ATTENTION}"),
        *rest_of_block(foreign, ours, ("norm1", "attn.proj", "norm2", *MLP)),
    )


def hub_block(foreign: str, ours: str) -> tuple[Rule, ...]:
    """A block in the names of files on Hugging Face's hub."""
    layers = ("layernorm_before", "attention.output.dense", "layernorm_after")
    return (
        *_projections(f"{foreign}.attention.attention", ours, QKV),
        *rest_of_block(foreign, ours, (*layers, "intermediate.dense", "output.dense")),
    )


def transformers_block(foreign: str, ours: str) -> tuple[Rule, ...]:
    """A block in the names of the library transformers from version 5."""
    layers = ("layernorm_before", "attention.o_proj", "layernorm_after")
    return (
        *_projections(f"{foreign}.attention", ours, SHORT_QKV),
        *rest_of_block(foreign, ours, (*layers, *MLP)),
    )


def siglip_block(foreign: str, ours: str) -> tuple[Rule, ...]:
    """A block in the names of CLIP and SigLIP."""
    layers = ("layer_norm1", "self_attn.out_proj", "layer_norm2")
    return (
        *_projections(f"{foreign}.self_attn", ours, SHORT_QKV),
        *rest_of_block(foreign, ours, (*layers, *MLP)),
    )


def fused_projection(weight: str, bias: str, ours: str) -> tuple[Rule, ...]:
    """Query, key and value of an attention in one `weight` [3 heads x d, in] and one `bias`."""
    kernels, biases = (tuple(f"{ours}/{x}/{leaf}" for x in QKV) for leaf in ("kernel", "bias"))
    return (Rule(weight, kernels, fused(HEADS_IN)), Rule(bias, biases, fused(HEADS_BIAS)))


def _projections(foreign: str, block: str, names: Sequence[str]) -> tuple[Rule, ...]:
    """Query, key and value of an attention, by these foreign `names`."""
    return tuple(
        rule
        for name, x in zip(names, QKV, strict=True)
        for rule in projection(f"{foreign}.{name}", f"{block}/{SELF_ATTENTION}/{x}")
    )


def rest_of_block(foreign: str, ours: str, names: Sequence[str]) -> tuple[Rule, ...]:
    """A block without its projections, by the foreign `names` of its first norm, the output of its
    attention, its second norm, and the two layers of its MLP."""
    first, output, second, *mlp = (f"{foreign}.{name}" for name in names)
    return (
        *norm(first, f"{ours}/LayerNorm_0"),
        *attention_output(output, f"{ours}/{SELF_ATTENTION}/out"),
        *norm(second, f"{ours}/LayerNorm_1"),
        *_mlp(mlp, ours),
    )


def _mlp(foreign: Sequence[str], ours: str) -> tuple[Rule, ...]:
    first, second = foreign
    return (
        *dense(first, f"{ours}/MlpBlock_0/Dense_0"),
        *dense(second, f"{ours}/MlpBlock_0/Dense_1"),
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
    old = f"{foreign}.attention"
    return (
        Rule(f"{foreign}.probe", f"{ours}/probe"),
        *fused_projection(f"{old}.in_proj_weight", f"{old}.in_proj_bias", attention),
        *attention_output(f"{old}.out_proj", f"{attention}/out"),
        *norm(f"{foreign}.layernorm", f"{ours}/LayerNorm_0"),
        *_mlp([f"{foreign}.{name}" for name in MLP], ours),
    )


def latent_pooling(foreign: str, ours: str = "MAPHead_0") -> tuple[Rule, ...]:
    """The same head in timm's names, with one projection for key and value."""
    attention = f"{ours}/{SELF_ATTENTION}"
    kernels, biases = (
        tuple(f"{attention}/{x}/{leaf}" for x in ("key", "value")) for leaf in ("kernel", "bias")
    )
    return (
        Rule(f"{foreign}.latent", f"{ours}/probe"),
        *projection(f"{foreign}.q", f"{attention}/query"),
        Rule(f"{foreign}.kv.weight", kernels, fused(HEADS_IN, 2)),
        Rule(f"{foreign}.kv.bias", biases, fused(HEADS_BIAS, 2)),
        *attention_output(f"{foreign}.proj", f"{attention}/out"),
        *norm(f"{foreign}.norm", f"{ours}/LayerNorm_0"),
        *_mlp([f"{foreign}.{name}" for name in MLP], ours),
    )


def patches(foreign: str, ours: str = "embedding", layout: Layout = PATCHES) -> tuple[Rule, ...]:
    """The patch embedding, a convolution in PyTorch."""
    return (
        Rule(f"{foreign}.weight", f"{ours}/kernel", layout),
        Rule(f"{foreign}.bias", f"{ours}/bias"),
    )
