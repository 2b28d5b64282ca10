"""Where the parameters of MBT come from in an image model."""

import dataclasses
import math
import re
from typing import Any

from projects.avmae.streams import BLOCK, CLASS_TOKENS, POSITIONS
from scenic_video.weights.image_models import (
    TABLE,
    grid_of_positions,
    num_class_tokens,
    take_kernel,
    take_positions,
)
from scenic_video.weights.initialize import Take
from scenic_video.weights.model_weights import ModelWeights


@dataclasses.dataclass(frozen=True)
class Image:
    """The ViT `source` of the MBT `target`, which has so many `class_tokens` for each modality."""

    target: ModelWeights
    source: ModelWeights
    kernel: str
    class_tokens: int

    def positions(self, grid: tuple[int, ...]) -> Take:
        """Those of the image on this grid, see `take_positions`."""
        return take_positions(
            f"Transformer/{TABLE}",
            grid=grid,
            class_tokens=self.class_tokens,
            image_class_tokens=num_class_tokens(self.source),
            image_grid=self.source.token_grid("rgb"),
            resampling=self.target.resampling,
        )

    def patches(self, shape: tuple[int, ...]) -> Take:
        return take_kernel(
            "embedding/kernel",
            shape,
            kernel=self.source.flat.get("embedding/kernel"),
            inflation=self.kernel,
            resampling=self.target.resampling,
        )

    def bottlenecks(self, number: int) -> Take:
        """The image's positions, resampled to `number` places, including that of a class token."""
        number -= self.class_tokens
        rows = max(n for n in range(1, math.isqrt(number) + 1) if number % n == 0)
        return self.positions((1, rows, number // rows))


def take_from_image(path: str, image: Image) -> Take:
    """Where a parameter of MBT comes from in a ViT."""
    leaf: Any = image.target.flat[path]
    if block := BLOCK.fullmatch(path):
        return Take(f"Transformer/encoderblock_{block[1]}/{block[3]}")
    if match := re.fullmatch(r"embedding(_spectrogram)?/(kernel|bias)", path):
        return image.patches(leaf.shape) if match[2] == "kernel" else Take("embedding/bias")
    if match := POSITIONS.fullmatch(path):
        suffix, places = match[2] or "", leaf.shape[1] - image.class_tokens
        modality = "audio" if suffix else "rgb"
        grid = grid_of_positions(image.target, places, modality, f"embedding{suffix}")
        return image.positions(grid)
    if path == "bottleneck":
        return image.bottlenecks(leaf.shape[1])
    return Take("cls") if re.fullmatch(CLASS_TOKENS, path) else Take(path)
