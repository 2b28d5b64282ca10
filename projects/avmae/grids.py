"""The grids of tokens that tables of positions are for, and tables for other grids."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from scenic_video.weights.image_models import (
    by_times,
    take_positions,
    take_resampled_positions,
)
from scenic_video.weights.initialize import Take
from scenic_video.weights.model_weights import ModelWeights, token_grid
from scenic_video.weights.resampling import Resampling

Grid = tuple[int, ...]


def grid_of(weights: ModelWeights, path: str) -> Grid | None:
    """The grid of a table of positions, by the size of the inputs and the patch kernel; None if
    it is unknown. A stated grid is that of images, or of the only modality."""
    if weights.grid is not None and "spectrogram" not in path:
        return tuple(weights.grid)  # pyright: ignore[reportReturnType]
    embedding = path.replace("posembed_input", "embedding").removeprefix("Transformer/")
    kernel: Any = weights.flat.get(f"{embedding.partition('/')[0]}/kernel")
    audio = "spectrogram" in path or "rgb" not in weights.inputs
    return token_grid(kernel, weights.inputs.get("audio" if audio else "rgb"))


def take_table(
    path: str,
    shape: Sequence[int],
    old_shape: Sequence[int],
    *,
    grids: tuple[Any, Any],
    resampling: Resampling,
) -> Take:
    """The table of learned positions at `path`, of `old_shape`, as one of `shape`, resampled from
    the second of the `grids` to the first. That of images is repeated over time."""
    new, old = grids
    if path.endswith(("pos_embedding_time", "pos_embedding_space")):
        return _take_axes(path, new, old, resampling)
    tokens = tuple(size[1] - math.prod(grid) for size, grid in ((shape, new), (old_shape, old)))
    if len(old) == len(new):
        return take_resampled_positions(
            path, old=old, new=new, tokens=(tokens[0], tokens[1]), resampling=resampling
        )
    return take_positions(
        path,
        grid=(1, *new)[-3:],
        class_tokens=tokens[0],
        image_class_tokens=tokens[1],
        image_grid=old,
        resampling=resampling,
    )


def _take_axes(path: str, new: Grid, old: Grid, resampling: Resampling) -> Take:
    """Positions of times [1, t, 1, d], or of places [1, 1, h w, d]."""
    of_time = path.endswith("_time")
    new, old = (grid[:1] if of_time else grid[1:] for grid in (new, old))
    if new == old:
        return Take(path)

    def change(table: np.ndarray) -> np.ndarray:
        width = table.shape[-1]
        places = resampling.positions(table.reshape(*old, width), new).reshape(-1, width)
        return places[None, :, None] if of_time else places[None, None]

    words = resampling.words("positions")
    return Take(path, change, f"resample {by_times(old)} to {by_times(new)}{words}")
