"""Patch kernels and positions of an image model, adapted to a model of videos or audio.

Each function returns the `Take` of one parameter, for `initialize`.
"""

import functools
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from scenic_video.errors import UserError
from scenic_video.layers.embeddings import inflate_kernel
from scenic_video.weights.initialize import Take
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.resampling import Resampling

HEAD = "output_projection/.*"
"""The head of a classifier, whose classes depend on the task."""

TABLE = "posembed_input/pos_embedding"
"""The end of the path of learned positions, [1, (1 +) places, d]."""

SAME = Resampling()


def take_kernel(
    path: str,
    shape: Sequence[int],
    *,
    kernel: Any,
    inflation: str = "central_frame",
    resampling: Resampling = SAME,
) -> Take:
    """The patch kernel at `path`, such as `kernel` (only its shape is used), as one of `shape`:
    [t, h, w, c, d] or [h, w, c, d].

    `change_channels` adapts the number of channels and `resampling` the size of patches;
    `inflate_kernel` extends the kernel of an image model over time with the method `inflation`.
    """
    *old_patch, old_channels, _ = shape if kernel is None else kernel.shape
    num_frames = shape[0] if len(shape) == 5 and len(old_patch) == 2 else None
    patch = tuple(shape[1:-2] if num_frames else shape[:-2])

    def lay_out(array: np.ndarray) -> np.ndarray:
        array = resampling.kernel(change_channels(array, shape[-2]), patch)
        if num_frames is None:
            return array
        return np.asarray(inflate_kernel(array, num_frames, inflation))

    words = [f"{inflation} of {num_frames}"] if num_frames else []
    if tuple(old_patch) != patch and len(old_patch) == len(patch):
        words.append(f"patches of {by_times(old_patch)}{resampling.words('patches')}")
    if old_channels != shape[-2]:
        words.append(f"{old_channels} to {shape[-2]} channels")
    return Take(path, lay_out if words or kernel is None else None, ", ".join(words))


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


def is_image_model(weights: ModelWeights, modality: str) -> bool:
    """Whether these are weights of a ViT, by the patch kernel and the number of positions: a model
    of videos may embed frames one by one."""
    kernel = weights.flat.get("embedding/kernel")
    if kernel is None or len(kernel.shape) != 4:
        return False
    tables = [path for path in weights.flat if path.endswith(TABLE)]
    grid = weights.token_grid(modality)
    if tables != [f"Transformer/{TABLE}"] or grid is None:
        return not tables or tables == [f"Transformer/{TABLE}"]
    places = weights.flat[tables[0]].shape[1] - num_class_tokens(weights)
    return len(grid) == 2 and places == math.prod(grid)


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


def num_class_tokens(weights: ModelWeights, name: str = "cls") -> int:
    """How many class tokens a model has: of this name, and for distillation."""
    return sum(token in weights.flat for token in (name, f"{name}_distillation"))


def take_positions(
    path: str,
    *,
    grid: Sequence[int],
    class_tokens: int,
    image_class_tokens: int,
    image_grid: Sequence[int] | None = None,
    resampling: Resampling = SAME,
) -> Take:
    """An image model's learned positions at `path`, for the `grid` time x rows x columns.

    They are resampled from the rows and columns `image_grid`, and repeated for each time step. If
    `image_grid` is unknown they are used unchanged, provided that their number is that of a frame
    of `grid`; otherwise it is an error, since the number does not determine rows and columns. The
    `grid` of audio is 1 x time x mel bins. `class_tokens` and `image_class_tokens` are the numbers
    of class tokens whose positions begin the new and the old table. They are kept or dropped; those
    that the old one lacks are zero.
    """
    times, *size = grid
    tokens = (class_tokens, image_class_tokens)
    how = functools.partial(
        _spread, grid=tuple(grid), image_grid=image_grid, tokens=tokens, resampling=resampling
    )
    name = f"{by_times(size)} unchanged"
    if image_grid is not None and tuple(image_grid) != tuple(size):
        name = f"resample {by_times(image_grid)} to {by_times(size)}"
        name += resampling.words("positions")
    name += f", repeated {times} times" if times > 1 else ""
    return Take(path, how, name + zeros_words(*tokens))


def _spread(
    table: np.ndarray,
    *,
    grid: tuple[int, ...],
    image_grid: Sequence[int] | None,
    tokens: tuple[int, int],
    resampling: Resampling,
) -> np.ndarray:
    """An image's table [1, class tokens + places, d] over `grid`. `tokens` are the numbers of class
    tokens of the new and the old table."""
    times, *size = grid
    classes, places = np.split(table[0], [tokens[1]])
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
    places = resampling.positions(places.reshape(*image_grid, -1), size)
    places = np.tile(places.reshape(-1, table.shape[-1]), (times, 1))
    return with_class_tokens(classes, places, number=tokens[0])


def take_resampled_positions(
    path: str,
    *,
    old: Sequence[int],
    new: Sequence[int],
    tokens: tuple[int, int] | None = None,
    resampling: Resampling = SAME,
) -> Take:
    """Learned positions at `path`, resampled from the grid `old` to the grid `new`; `new` without
    the first axis of `old` is for their mean over time.

    `tokens` are the numbers of class tokens whose positions begin the new and the old table, by
    default equal. Those that the old one lacks are zero.
    """
    old, new = tuple(old), tuple(new)
    averages = len(old) == len(new) + 1
    if old == new and (tokens is None or tokens[0] == tokens[1]):
        return Take(path)

    def change(table: np.ndarray) -> np.ndarray:
        num_tokens = table.shape[1] - math.prod(old)
        if num_tokens not in (0, 1, 2) or (tokens is not None and num_tokens != tokens[1]):
            raise UserError(
                f"A table of {table.shape[1]} positions does not match a grid of {by_times(old)}."
            )
        classes, places = np.split(table[0], [num_tokens])
        grid = places.reshape(*old, -1)
        places = resampling.positions(grid.mean(axis=0) if averages else grid, new)
        places = places.reshape(-1, table.shape[-1])
        return with_class_tokens(classes, places, number=tokens[0] if tokens else num_tokens)

    words = [f"mean over {old[0]} times"] if averages else []
    if old[-len(new) :] != new:
        of, to = by_times(old[-len(new) :]), by_times(new)
        words.append(f"resample {of} to {to}{resampling.words('positions')}")
    name = ", ".join(words or [f"{by_times(new)} unchanged"])
    return Take(path, change, name + (zeros_words(*tokens) if tokens else ""))


def with_class_tokens(classes: np.ndarray, places: np.ndarray, *, number: int) -> np.ndarray:
    """A table [1, number + places, d] that begins with the positions `classes` of class tokens, of
    which those beyond `number` are dropped, and those that lack are zero."""
    lacking = np.zeros((max(0, number - len(classes)), places.shape[-1]), places.dtype)
    return np.concatenate([classes[:number], lacking, places])[None]


def zeros_words(number: int, old_number: int) -> str:
    """The end of the name of a `Take` whose table has more class tokens than the old one."""
    return ", zeros for the class token" if number > old_number else ""


def present(patterns: Sequence[str], paths: Iterable[str]) -> list[str]:
    """The patterns that match a whole path; `initialize` raises an error for the others."""
    paths = list(paths)
    return [p for p in patterns if any(re.fullmatch(p, path) for path in paths)]


def by_times(sizes: Sequence[int]) -> str:
    """Sizes in the form "2 x 14 x 14"."""
    return " x ".join(map(str, sizes))
