"""The blocks of VideoMAE in Hugging Face's names and its own."""

from collections.abc import Iterable

from scenic_video.weights.families.blocks import MLP, QKV, SELF_ATTENTION, rest_of_block
from scenic_video.weights.families.layouts import HEADS_BIAS, HEADS_IN, fused
from scenic_video.weights.families.names import Rule


def hub_block(foreign: str, ours: str, biases: tuple[str, str]) -> tuple[Rule, ...]:
    """A block in Hugging Face's names; `biases` are those of query and value."""
    attention, here = f"{foreign}.attention.attention", f"{ours}/{SELF_ATTENTION}"
    layers = ("layernorm_before", "attention.output.dense", "layernorm_after")
    return (
        *(Rule(f"{attention}.{x}.weight", f"{here}/{x}/kernel", HEADS_IN) for x in QKV),
        *_biases((f"{attention}.{x}" for x in biases), here),
        *rest_of_block(foreign, ours, (*layers, "intermediate.dense", "output.dense")),
    )


def own_block(foreign: str, ours: str) -> tuple[Rule, ...]:
    """A block in VideoMAE's own names: one kernel for query, key and value, and no key bias."""
    attention, here = f"{foreign}.attn", f"{ours}/{SELF_ATTENTION}"
    kernels = tuple(f"{here}/{x}/kernel" for x in QKV)
    return (
        Rule(f"{attention}.qkv.weight", kernels, fused(HEADS_IN)),
        *_biases((f"{attention}.{x}" for x in ("q_bias", "v_bias")), here),
        *rest_of_block(foreign, ours, ("norm1", "attn.proj", "norm2", *MLP)),
    )


def _biases(foreign: Iterable[str], ours: str) -> tuple[Rule, ...]:
    names = zip(foreign, ("query", "value"), strict=True)
    return tuple(Rule(name, f"{ours}/{x}/bias", HEADS_BIAS) for name, x in names)


BIASES = (("q_bias", "v_bias"), ("query.bias", "value.bias"))
"""Of the files on the hub, and of transformers in memory from version 5."""
