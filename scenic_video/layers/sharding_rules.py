"""How the parameters of transformer blocks are split over the axes of a mesh."""

_ATTENTION = r"MultiHeadDotProductAttention[^/]*"
_MLP = r"MlpBlock[^/]*"
TRANSFORMER_RULES = (
    (rf"{_ATTENTION}/(query|key|value)/kernel", ("fsdp", "tensor", None)),
    (rf"{_ATTENTION}/(query|key|value)/bias", ("tensor", None)),
    (rf"{_ATTENTION}/out/kernel", ("tensor", None, "fsdp")),
    (rf"{_MLP}/Dense_0/kernel", ("fsdp", "tensor")),
    (rf"{_MLP}/Dense_0/bias", ("tensor",)),
    (rf"{_MLP}/Dense_1/kernel", ("tensor", "fsdp")),
)
"""Heads and hidden units over `tensor` (Shoeybi et al., Megatron-LM, 2019, section 3), widths over
`fsdp`; see `scenic_video.sharding.Placement`. A model declares them as its `sharding_rules`."""
