"""Optimizers as one optax chain, schedules, and the choice of what is trained."""

from scenic_video.optimizers.chains import adamw, chain, sgd
from scenic_video.optimizers.layer_decay import LayerDecay
from scenic_video.optimizers.schedules import constant, warmup_cosine, warmup_linear
from scenic_video.optimizers.weight_decay import WeightDecay

__all__ = [
    "LayerDecay",
    "WeightDecay",
    "adamw",
    "chain",
    "constant",
    "sgd",
    "warmup_cosine",
    "warmup_linear",
]
