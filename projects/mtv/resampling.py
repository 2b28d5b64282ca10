"""Parameters of a multiview transformer, resampled to clips or tubelets of other sizes."""

import dataclasses
import functools
import itertools
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from scenic_video.errors import UserError
from scenic_video.weights.image_models import (
    TABLE,
    by_times,
    take_kernel,
    take_resampled_positions,
)
from scenic_video.weights.initialize import Take
from scenic_video.weights.model_weights import ModelWeights, token_grid
from scenic_video.weights.resampling import resample, resample_leading_axes

GLOBAL_POSITIONS = f"global_encoder/{TABLE}"


@dataclasses.dataclass(frozen=True)
class Tables:
    """The sizes of the tables of positions and class tokens in an MTV."""

    weights: ModelWeights

    @property
    def num_tokens(self) -> int:
        """The number of class tokens before a frame, and before the clip."""
        return int("cls_global" in self.weights.flat)

    def grid(self, view: int | None) -> tuple[int, ...] | None:
        """Rows and columns of the tokens of a frame; None if unknown."""
        places = self.num_places(view)
        kernel = self.weights.flat.get(f"embedding_view{view}/kernel")
        if self.weights.grid is not None and view is not None:
            grid = self._stated_grid(view)
        elif kernel is not None and len(kernel.shape) == 4:  # audio, whose frames have one row
            grid = (1, places)
        else:
            inputs = self.weights.inputs
            grid = token_grid(kernel, inputs.get("rgb", inputs.get("flow")))
            grid = None if grid is None else grid[1:]
        if grid is not None and math.prod(grid) != places:
            raise UserError(
                f"View {view} of {self.weights.name} has {places} positions per frame, not "
                f"{by_times(grid)}. Set init.source_grid to the rows and columns of each view."
            )
        return grid

    def _stated_grid(self, view: int) -> tuple[int, ...]:
        grids: Any = self.weights.grid
        if not all(isinstance(grid, Sequence) for grid in grids) or view >= len(grids):
            raise UserError(
                "init.source_grid of a multiview transformer is (rows, columns) for each view; got "
                f"{grids}."
            )
        return tuple(grids[view])

    def num_places(self, view: int | None) -> int:
        """The number of tokens of a frame, without its class token."""
        path = f"MultiviewEncoder/posembed_input_view{view}/pos_embedding"
        return self.weights.flat[path].shape[1] - self.num_tokens

    def lengths(self) -> list[int]:
        """The number of time steps in each section of the global encoder's positions."""
        if "global_encoder_linear_view0/kernel" not in self.weights.flat:
            return [self.weights.flat[GLOBAL_POSITIONS].shape[1] - self.num_tokens]
        views = [path for path in self.weights.flat if re.fullmatch(r"cls_view\d+", path)]
        if not views:
            raise UserError(
                "With merge='time' and without class tokens the length of each view is unknown, so "
                f"{GLOBAL_POSITIONS} cannot be resampled. Name it in allow_random."
            )
        return [self.weights.flat[f"cls_view{view}"].shape[1] for view in range(len(views))]


def resampled(path: str, old: Tables, new: Tables) -> Take:
    """How a parameter is taken from the one with its name in another MTV."""
    if path not in old.weights.flat:
        return Take(path)
    before, after = old.weights.flat[path].shape, new.weights.flat[path].shape
    if path == GLOBAL_POSITIONS and before[1] != after[1]:
        how = functools.partial(
            _resample_stretches, num_tokens=old.num_tokens, old=old.lengths(), new=new.lengths()
        )
        return Take(path, how, f"resample to {after[1]} places")
    if re.fullmatch(r"MultiviewEncoder/posembed_input_view\d+/pos_embedding", path):
        return _resampled_frame(path, old, new)
    if re.fullmatch(r"embedding_view\d+/kernel", path):
        kernel, resampling = old.weights.flat[path], new.weights.resampling
        return take_kernel(path, after, kernel=kernel, resampling=resampling)
    if re.fullmatch(r"cls_view\d+|bottleneck", path) and before[1] != after[1]:
        how = functools.partial(_resample_times, length=after[1])
        return Take(path, how, f"resample to {after[1]} times")
    return Take(path)


def _resampled_frame(path: str, old: Tables, new: Tables) -> Take:
    """The positions of a frame of a view; unchanged if their number is, but the rows are
    unknown."""
    view = view_of(path)
    before, after = old.grid(view), new.grid(view)
    if before is not None and after is not None:
        return take_resampled_positions(
            path, old=before, new=after, resampling=new.weights.resampling
        )
    if old.num_places(view) == new.num_places(view):
        return Take(path)
    raise UserError(
        f"View {view} has {old.num_places(view)} positions per frame in the source and "
        f"{new.num_places(view)} here, but their rows and columns are unknown. Set "
        "init.source_grid to the rows and columns of each view."
    )


def view_of(path: str) -> int | None:
    """The view that a parameter belongs to; None if it belongs to none or to two."""
    match = re.search(r"view(\d+)(?:/|$)", path)
    return None if match is None else int(match[1])


def joined(tokens: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A table [1, n, d]: the positions of class tokens, then those of a grid [..., d]."""
    return np.concatenate([tokens, places.reshape(-1, places.shape[-1])])[None]


def _resample_stretches(
    table: np.ndarray, *, num_tokens: int, old: Sequence[int], new: Sequence[int]
) -> np.ndarray:
    ends = itertools.accumulate([num_tokens, *old])
    tokens, *stretches = np.split(table[0], list(ends)[:-1])
    places = [resample(x, [n]) for x, n in zip(stretches, new, strict=True)]
    return joined(tokens, np.concatenate(places))


def _resample_times(tokens: np.ndarray, *, length: int) -> np.ndarray:
    return resample_leading_axes(tokens, [tokens.shape[0], length])
