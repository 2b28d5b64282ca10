"""What an image model gives to a model of videos or audio: patch kernels and positions.

Each function returns the `Take` of one parameter, for `initialize`.
"""

import functools
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from scenic_video.errors import UserError
from scenic_video.layers.embeddings import inflate_kernel
from scenic_video.weights.initialize import Take
from scenic_video.weights.resampling import resample

HEAD = "output_projection/.*"
"""The head of a classifier: another task has other classes."""

TABLE = "posembed_input/pos_embedding"
"""How learned positions end their path, [1, (1 +) places, d]."""


def take_kernel(path: str, shape: Sequence[int], *, inflation: str = "central_frame") -> Take:
    """The patch kernel [h, w, c, d] at `path`, as one of `shape` [t, h, w, c, d] or [h, w, c, d].

    Over time it is laid out by `inflate_kernel` with the method `inflation`. To another number of
    channels it is brought by `change_channels`. Patches of another size are not resampled here:
    they are an error of `initialize`, that shows both shapes.
    """
    num_frames = shape[0] if len(shape) == 5 else None

    def lay_out(kernel: np.ndarray) -> np.ndarray:
        kernel = change_channels(kernel, shape[-2])
        if num_frames is None:
            return kernel
        return np.asarray(inflate_kernel(kernel, num_frames, inflation))

    return Take(path, lay_out, "" if num_frames is None else f"{inflation} of {num_frames}")


def change_channels(
    kernel: Float[np.ndarray, "*patch c d"], channels: int
) -> Float[np.ndarray, "*patch channels d"]:
    """A kernel for inputs of another number of channels.

    A grey picture, whose channels are all equal, gives the same tokens as before: the sum over
    the channels is spread evenly over the new ones.
    """
    if kernel.shape[-2] == channels:
        return kernel
    return np.repeat(kernel.sum(axis=-2, keepdims=True) / channels, channels, axis=-2)


def require_image_model(kernel: Any, *, instead: str) -> None:
    """A ValueError if a source with this patch kernel is a model of videos.

    `instead` says what starts from such a one.
    """
    if getattr(kernel, "ndim", 4) != 5:
        return
    raise UserError(
        f"The source is a model of videos, not of images: its patch kernel is {list(kernel.shape)} "
        f"(time, rows, columns, channels, width). {instead}"
    )


def token_grid(kernel: Any, size: Sequence[int] | None) -> tuple[int, ...] | None:
    """How many patches of a kernel [*patch, c, d] fit into an input of this size, (frames,) rows
    and columns, along each axis of the patch; None where one of both is not known."""
    if kernel is None or size is None or len(size) < len(kernel.shape) - 2:
        return None
    patch = kernel.shape[:-2]
    return tuple(n // p for n, p in zip(size[-len(patch) :], patch, strict=True))


def take_positions(
    path: str,
    *,
    grid: Sequence[int],
    class_token: bool,
    image_class_token: bool,
    image_grid: Sequence[int] | None = None,
    table: Any = None,
) -> Take:
    """An image's learned positions at `path` as those over `grid`, time x rows x columns.

    Over the rows and columns `image_grid` they are resampled; where that is not known they are
    taken as they are, if there are as many as `grid` has in a frame, and refused otherwise: their
    number does not tell rows from columns. For every time they are the same. An audio's `grid` is
    1 x time x mel bins. `class_token` and `image_class_token` say which of the two tables begin
    with the position of a class token; it is carried over or dropped,
    and where only the new one does, that of the new `table` is kept as drawn.
    """
    times, *size = grid
    how = functools.partial(
        _spread,
        grid=tuple(grid),
        image_grid=image_grid,
        tokens=(class_token, image_class_token),
        drawn=None if table is None or isinstance(table, jax.ShapeDtypeStruct) else table,
    )
    name = f"{by_times(size)} as they are"
    if image_grid is not None and tuple(image_grid) != tuple(size):
        name = f"resample {by_times(image_grid)} to {by_times(size)}"
    return Take(path, how, name + (f", at each of {times} times" if times > 1 else ""))


def _spread(
    table: np.ndarray,
    *,
    grid: tuple[int, ...],
    image_grid: Sequence[int] | None,
    tokens: tuple[bool, bool],
    drawn: Any,
) -> np.ndarray:
    """A table [1, (1 +) places, d] of an image over `grid`; `tokens` are whether the new and the
    old one begin with the position of a class token, `drawn` is the new one."""
    times, *size = grid
    classes, places = np.split(table[0], [int(tokens[1])])
    if tokens == (True, False) and drawn is not None:
        classes = np.asarray(drawn)[0, :1]
    if image_grid is None and len(places) != math.prod(size):
        raise UserError(
            f"The source has {len(places)} positions, and this model {by_times(size)} in a frame; "
            "over which rows and columns they lie is not known, and their number does not tell. "
            "State it as init.source_grid=(rows, columns) (of several sources "
            "init.source_grids=((rows, columns), ...)), if it is a model of images."
        )
    image_grid = tuple(image_grid or size)
    if math.prod(image_grid) != len(places) or len(image_grid) != len(size):
        raise UserError(
            f"The source has {len(places)} positions, which are not those of an image of "
            f"{by_times(image_grid)} patches. A model of videos starts by from_video_model; for "
            "one of images state init.source_grid=(rows, columns)."
        )
    places = resample(places.reshape(*image_grid, -1), size).reshape(-1, table.shape[-1])
    places = np.tile(places, (times, 1))
    return np.concatenate([classes, places] if tokens[0] else [places])[None]


def take_resampled_positions(
    path: str, *, old: Sequence[int], new: Sequence[int], class_token: bool = True
) -> Take:
    """Learned positions at `path` over a grid `old`, with or without one of a class token before
    them, as those over a grid `new` of as many axes; that of a class token is kept, or with
    `class_token=False` dropped."""
    old, new = tuple(old), tuple(new)
    if old == new and class_token:
        return Take(path)

    def change(table: np.ndarray) -> np.ndarray:
        num_tokens = table.shape[1] - math.prod(old)
        if num_tokens not in (0, 1):
            raise UserError(
                f"A table of {table.shape[1]} positions is not one over {by_times(old)}."
            )
        tokens, places = np.split(table[0], [num_tokens])
        places = resample(places.reshape(*old, -1), new).reshape(-1, table.shape[-1])
        return np.concatenate([tokens, places] if class_token else [places])[None]

    return Take(path, change, f"resample {by_times(old)} to {by_times(new)}")


def present(patterns: Sequence[str], paths: Iterable[str]) -> list[str]:
    """The patterns that match some whole path; `initialize` refuses those that match none."""
    paths = list(paths)
    return [p for p in patterns if any(re.fullmatch(p, path) for path in paths)]


def by_times(sizes: Sequence[int]) -> str:
    """Sizes as people write them, "2 x 14 x 14"."""
    return " x ".join(map(str, sizes))
