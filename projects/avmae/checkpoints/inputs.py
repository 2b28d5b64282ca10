"""What the models of VideoMAE and MAE take, where a checkpoint does not say."""

import math
from collections.abc import Mapping
from typing import Any

PIXELS = {"image_mean": (0.485, 0.456, 0.406), "image_std": (0.229, 0.224, 0.225)}
"""ImageNet's, by which both divide."""


def with_inputs(
    metadata: Mapping[str, Any], *, num_frames: int, image_size: int
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """`metadata` with these inputs where its config.json does not say, and a note on that."""
    stated = metadata.get("config") or {}
    files = {
        "config": {"num_frames": num_frames, "image_size": image_size, **stated},
        "preprocessor_config": {**PIXELS, **(metadata.get("preprocessor_config") or {})},
    }
    frames = "1 frame" if num_frames == 1 else f"{num_frames} frames"
    note = (
        f"no config.json says what its inputs are: {frames} of {image_size} pixels, with "
        "ImageNet's mean and deviation, are those of the paper"
    )
    return {**metadata, **files}, () if stated else (note,)


def image_size_of(table: Any, kernel: Any) -> int:
    """The side in pixels of the square images that a `table` of positions is for, one of which is
    that of a class token, by the patch `kernel` in PyTorch's layout."""
    return math.isqrt(max(math.prod(table.shape[:-1]) - 1, 0)) * kernel.shape[-1]
