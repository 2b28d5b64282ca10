"""What a multiview transformer takes from another over clips or tubelets of other sizes."""

import dataclasses
import functools
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scenic_video.weights.image_models import TABLE, by_times, take_resampled_positions
from scenic_video.weights.initialize import Take
from scenic_video.weights.resampling import resample, resample_leading_axes

GLOBAL_POSITIONS = f"global_encoder/{TABLE}"
Grids = Sequence[Sequence[int]]
"""Rows and columns of tokens in a frame, of every view from the coarsest."""


@dataclasses.dataclass(frozen=True)
class Tables:
    """The parameters of an MTV, and of how many tokens its tables of positions are."""

    params: Mapping[str, Any]
    grids: Grids | Mapping[int, Sequence[int]] | None = None

    @property
    def num_tokens(self) -> int:
        """Class tokens that lead a frame, and the clip."""
        return int("cls_global" in self.params)

    def grid(self, view: int | None) -> tuple[int, ...]:
        """Rows and columns of the tokens of a frame."""
        path = f"MultiviewEncoder/posembed_input_view{view}/pos_embedding"
        places = self.params[path].shape[1] - self.num_tokens
        is_sound = len(self.params[f"embedding_view{view}/kernel"].shape) == 4
        side = math.isqrt(places)
        grid = (1, places) if is_sound else (side, side)
        grid = tuple(self.grids[view]) if self.grids and view is not None else grid
        if math.prod(grid) != places:
            raise ValueError(
                f"View {view} has {places} positions a frame, which are not {by_times(grid)}. Give "
                "`grids`, the rows and columns of every view."
            )
        return grid

    def lengths(self) -> list[int]:
        """Over how many times each stretch of the global encoder's positions goes."""
        if "global_encoder_linear_view0/kernel" not in self.params:
            return [self.params[GLOBAL_POSITIONS].shape[1] - self.num_tokens]
        views = [path for path in self.params if re.fullmatch(r"cls_view\d+", path)]
        if not views:
            raise ValueError(
                "Views one after the other (merge='time') without class tokens do not say how long "
                f"each is, so {GLOBAL_POSITIONS} cannot be resampled. Name it in allow_fresh."
            )
        return [self.params[f"cls_view{view}"].shape[1] for view in range(len(views))]


def resampled(path: str, old: Tables, new: Tables) -> Take:
    """What a parameter takes from the one of its name in another MTV."""
    if path not in old.params:
        return Take(path)
    before, after = old.params[path].shape, new.params[path].shape
    if path == GLOBAL_POSITIONS and before[1] != after[1]:
        how = functools.partial(
            _resample_stretches, num_tokens=old.num_tokens, old=old.lengths(), new=new.lengths()
        )
        return Take(path, how, f"resample to {after[1]} places")
    if re.fullmatch(r"MultiviewEncoder/posembed_input_view\d+/pos_embedding", path):
        view = view_of(path)
        return take_resampled_positions(path, old=old.grid(view), new=new.grid(view))
    if re.fullmatch(r"embedding_view\d+/kernel", path) and before[:-2] != after[:-2]:
        how = functools.partial(resample_leading_axes, sizes=after[:-2])
        return Take(path, how, f"resample to {by_times(after[:-2])}")
    if re.fullmatch(r"cls_view\d+|bottleneck", path) and before[1] != after[1]:
        how = functools.partial(_resample_times, length=after[1])
        return Take(path, how, f"resample to {after[1]} times")
    return Take(path)


def view_of(path: str) -> int | None:
    """The view that a parameter belongs to; None for those that belong to none, or to two."""
    match = re.search(r"view(\d+)(?:/|$)", path)
    return None if match is None else int(match[1])


def joined(tokens: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A table [1, n, d] of the positions of class tokens, and of a grid [..., d]."""
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
