"""What an image model gives to a model of videos or sound: patch kernels and positions.

Each function returns the `Take` of one parameter, for `initialize`.
"""

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

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
        if num_frames is None or kernel.ndim == 5:
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


def take_positions(
    path: str, *, grid: Sequence[int], class_token: bool, image_class_token: bool
) -> Take:
    """An image's learned positions at `path` as those over `grid`, time x rows x columns.

    The image's places, a square, are resampled to rows x columns and repeated for every time. A
    sound's `grid` is 1 x time x mel bins. `class_token` and `image_class_token` say which of the
    two tables begin with the position of a class token; it is carried over or dropped.
    """
    times, *size = grid

    def spread(table: np.ndarray) -> np.ndarray:
        tokens, places = np.split(table[0], [int(image_class_token)])
        side = math.isqrt(len(places))
        if side**2 != len(places):
            raise ValueError(f"The image model has {len(places)} positions, which is no square.")
        places = resample(places.reshape(side, side, -1), size).reshape(-1, table.shape[-1])
        places = np.tile(places, (times, 1))
        return np.concatenate([tokens, places] if class_token else [places])[None]

    return Take(path, spread, f"positions of {by_times(grid)}")


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
            raise ValueError(
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
