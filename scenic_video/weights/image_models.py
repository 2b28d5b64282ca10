"""Patch kernels and positions of an image model, adapted to a model of videos or audio.

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
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.resampling import resample

HEAD = "output_projection/.*"
"""The head of a classifier, whose classes depend on the task."""

TABLE = "posembed_input/pos_embedding"
"""The end of the path of learned positions, [1, (1 +) places, d]."""


def take_kernel(path: str, shape: Sequence[int], *, inflation: str = "central_frame") -> Take:
    """The patch kernel [h, w, c, d] at `path`, as one of `shape` [t, h, w, c, d] or [h, w, c, d].

    `inflate_kernel` extends it over time with the method `inflation`, and `change_channels` adapts
    the number of channels. Patches of another size are not resampled: `initialize` raises an error
    that shows both shapes.
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

    The sum over the channels is divided evenly among the new ones, so that a grey image, whose
    channels are equal, gives the same tokens.
    """
    if kernel.shape[-2] == channels:
        return kernel
    return np.repeat(kernel.sum(axis=-2, keepdims=True) / channels, channels, axis=-2)


def require_image_model(source: ModelWeights, *, instead: str) -> None:
    """Errors: UserError if the source is a model of videos, by its patch kernel.

    `instead` is the advice that ends the message.
    """
    kernel = source.flat.get("embedding/kernel")
    if getattr(kernel, "ndim", 4) == 5:
        shape = list(kernel.shape)  # pyright: ignore[reportOptionalMemberAccess]
        raise UserError(
            f"The weights of {source.name} are those of a video model, not of an image model: the "
            f"patch kernel is {shape} (time, rows, columns, channels, width). {instead}"
        )


def grid_of_positions(
    weights: ModelWeights, places: int, modality: str, embedding: str = "embedding"
) -> tuple[int, int, int]:
    """Time, rows and columns of a table of `places` positions, without that of a class token.

    If the patch kernel has no time axis, each frame has a grid of its own; time is 1 for the
    positions of a single frame. Errors: UserError if rows and columns are unknown.
    """
    grid = weights.token_grid(modality, embedding)
    if grid is None or len(grid) < 2:
        raise UserError(
            f"The rows and columns of {places} positions of {weights.name} are unknown, because "
            f"the size of its {modality} inputs is. For a source, set init.source_grid."
        )
    *time, rows, columns = grid
    frames = places // (rows * columns)
    return (time[0] if time and frames != 1 else frames), rows, columns


def take_positions(
    path: str,
    *,
    grid: Sequence[int],
    class_token: bool,
    image_class_token: bool,
    image_grid: Sequence[int] | None = None,
    table: Any = None,
) -> Take:
    """An image model's learned positions at `path`, for the `grid` time x rows x columns.

    They are resampled from the rows and columns `image_grid`, and repeated for each time step. If
    `image_grid` is unknown they are used unchanged, provided that their number is that of a frame
    of `grid`; otherwise it is an error, since the number does not determine rows and columns. The
    `grid` of audio is 1 x time x mel bins. `class_token` and `image_class_token` state whether the
    new and the old table begin with the position of a class token. It is kept or dropped; if only
    the new one has it, it comes from the randomly initialised `table`.
    """
    times, *size = grid
    how = functools.partial(
        _spread,
        grid=tuple(grid),
        image_grid=image_grid,
        tokens=(class_token, image_class_token),
        initial=None if table is None or isinstance(table, jax.ShapeDtypeStruct) else table,
    )
    name = f"{by_times(size)} unchanged"
    if image_grid is not None and tuple(image_grid) != tuple(size):
        name = f"resample {by_times(image_grid)} to {by_times(size)}"
    return Take(path, how, name + (f", repeated {times} times" if times > 1 else ""))


def _spread(
    table: np.ndarray,
    *,
    grid: tuple[int, ...],
    image_grid: Sequence[int] | None,
    tokens: tuple[bool, bool],
    initial: Any,
) -> np.ndarray:
    """An image's table [1, (1 +) places, d] over `grid`. `tokens` states whether the new and the
    old table begin with the position of a class token; `initial` is the new one."""
    times, *size = grid
    classes, places = np.split(table[0], [int(tokens[1])])
    if tokens == (True, False) and initial is not None:
        classes = np.asarray(initial)[0, :1]
    if image_grid is None and len(places) != math.prod(size):
        raise UserError(
            f"The source has {len(places)} positions and this model {by_times(size)} in a frame, "
            "but the rows and columns of the source are unknown. If it is an image model, set "
            "init.source_grid=(rows, columns); for several sources, one for each."
        )
    image_grid = tuple(image_grid or size)
    if math.prod(image_grid) != len(places) or len(image_grid) != len(size):
        raise UserError(
            f"The source has {len(places)} positions, which does not match an image of "
            f"{by_times(image_grid)} patches. For a video model use from_video_model; for an image "
            "model set init.source_grid=(rows, columns)."
        )
    places = resample(places.reshape(*image_grid, -1), size).reshape(-1, table.shape[-1])
    places = np.tile(places, (times, 1))
    return np.concatenate([classes, places] if tokens[0] else [places])[None]


def take_resampled_positions(
    path: str, *, old: Sequence[int], new: Sequence[int], class_token: bool = True
) -> Take:
    """Learned positions at `path`, resampled from the grid `old` to the grid `new` with the same
    number of axes. A position of a class token in front of them is kept, or dropped with
    `class_token=False`."""
    old, new = tuple(old), tuple(new)
    if old == new and class_token:
        return Take(path)

    def change(table: np.ndarray) -> np.ndarray:
        num_tokens = table.shape[1] - math.prod(old)
        if num_tokens not in (0, 1):
            raise UserError(
                f"A table of {table.shape[1]} positions does not match a grid of {by_times(old)}."
            )
        tokens, places = np.split(table[0], [num_tokens])
        places = resample(places.reshape(*old, -1), new).reshape(-1, table.shape[-1])
        return np.concatenate([tokens, places] if class_token else [places])[None]

    return Take(path, change, f"resample {by_times(old)} to {by_times(new)}")


def present(patterns: Sequence[str], paths: Iterable[str]) -> list[str]:
    """The patterns that match a whole path; `initialize` raises an error for the others."""
    paths = list(paths)
    return [p for p in patterns if any(re.fullmatch(p, path) for path in paths)]


def by_times(sizes: Sequence[int]) -> str:
    """Sizes in the form "2 x 14 x 14"."""
    return " x ".join(map(str, sizes))
