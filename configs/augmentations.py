"""Nodes of augmentations that recipes share, with the fields of the papers."""

from typing import Any

TRANSFORMS = "scenic_video.transforms"
SCALE_JITTER = {"scale_jitter": (0.9, 1.33)}
"""The geometry in the recipe of ViViT, which other models use too."""
COLOR_JITTER = {
    "target": f"{TRANSFORMS}.color_jitter:color_jitter",
    "probability": 0.8,
    "drop_probability": 0.1,
}
CIRCULAR_SHIFT = {"target": f"{TRANSFORMS}.circular_shift:circular_shift"}


def randaugment(num_layers: int, magnitude: int) -> dict[str, Any]:
    return {
        "target": f"{TRANSFORMS}.randaugment:randaugment",
        "num_layers": num_layers,
        "magnitude": magnitude,
    }


def spec_augment(
    frequency_masks: tuple[int, int] = (1, 48), time_masks: tuple[int, int] = (4, 48)
) -> dict[str, Any]:
    """Masks are (number, width)."""
    return {
        "target": f"{TRANSFORMS}.spec_augment:spec_augment",
        "frequency_masks": frequency_masks,
        "time_masks": time_masks,
    }
