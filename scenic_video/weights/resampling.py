"""Resamples positions and kernels to another number of frames or another image size."""

from collections.abc import Sequence

import numpy as np
import scipy.ndimage
from jaxtyping import Float

from scenic_video.errors import UserError


def resample(
    grid: Float[np.ndarray, "*axes d"], sizes: Sequence[int]
) -> Float[np.ndarray, "*new_axes d"]:
    """Linear interpolation of [*axes, d] to [*sizes, d]; end points stay where they are.

    Unlike `jax.image.resize`, which aligns the edges of pixels.
    """
    axes = grid.shape[:-1]
    if len(sizes) != len(axes):
        raise UserError(f"{len(axes)} axes cannot be resampled to {tuple(sizes)}.")
    if axes == tuple(sizes):
        return grid
    factors = [new / old for old, new in zip(axes, sizes, strict=True)]
    # "nearest": rounding may place the last point just outside, where "constant" gives 0.
    resampled = scipy.ndimage.zoom(np.float64(grid), [*factors, 1], order=1, mode="nearest")
    return np.asarray(resampled, grid.dtype)


def resample_leading_axes(
    array: Float[np.ndarray, "..."], sizes: Sequence[int]
) -> Float[np.ndarray, "..."]:
    """`resample` of the first `len(sizes)` axes, whatever follows them: a kernel [h, w, c, d]."""
    axes, rest = array.shape[: len(sizes)], array.shape[len(sizes) :]
    return resample(array.reshape(*axes, -1), sizes).reshape(*sizes, *rest)
