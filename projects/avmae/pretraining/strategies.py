"""Runs one or several transformers over the tokens of two modalities."""

from collections.abc import Callable
from typing import Any

from projects.avmae.modalities import IN_PARAMETERS
from scenic_video.layers.autoencoder import Tokens
from scenic_video.layers.bottleneck_fusion import join, joint_mask, split
from scenic_video.layers.presence import Present

STRATEGIES = ("shared", "separate", "early")


def other(modality: str) -> str:
    return "audio" if modality == "rgb" else "rgb"


def run(
    strategy: str,
    make: Callable[[str], Any],
    name: str,
    tokens: Tokens,
    present: Present,
    *,
    train: bool,
) -> Tokens:
    """Tokens of all modalities after one or several transformers, by `strategy`."""
    if strategy == "separate":
        names = {m: f"{name}_{IN_PARAMETERS[m]}" for m in tokens}
        return {m: make(names[m])(x, train=train) for m, x in tokens.items()}
    transformer = make(name)
    if strategy == "shared":
        return {m: transformer(x, train=train) for m, x in tokens.items()}
    joined, lengths = join(tokens)
    mask = joint_mask(tokens, present)
    joined = transformer(joined, key_mask=mask, train=train)
    return split(joined, lengths)
