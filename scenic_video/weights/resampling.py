"""Resamples positions and kernels to another number of frames or another image size."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from scenic_video.errors import UserError


def resample(
    grid: Float[np.ndarray, "*axes d"], sizes: Sequence[int]
) -> Float[np.ndarray, "*new_axes d"]:
    """Linear interpolation of [*axes, d] to [*sizes, d]; end points stay where they are.

    What the public implementation does with `scipy.ndimage.zoom(order=1)`; `jax.image.resize`
    places the end points elsewhere.
    """
    if len(sizes) != grid.ndim - 1:
        raise UserError(f"{grid.ndim - 1} axes cannot be resampled to {tuple(sizes)}.")
    for axis, size in enumerate(sizes):
        grid = _resample_axis(grid, axis, size)
    return grid


def resample_leading_axes(
    array: Float[np.ndarray, "..."], sizes: Sequence[int]
) -> Float[np.ndarray, "..."]:
    """`resample` of the first `len(sizes)` axes, whatever follows them: a kernel [h, w, c, d]."""
    axes, rest = array.shape[: len(sizes)], array.shape[len(sizes) :]
    return resample(array.reshape(*axes, -1), sizes).reshape(*sizes, *rest)


def _resample_axis(grid: np.ndarray, axis: int, size: int) -> np.ndarray:
    if grid.shape[axis] == size:
        return grid
    places = np.linspace(0, grid.shape[axis] - 1, size)
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, grid.shape[axis] - 1)
    share = (places - below).reshape(-1, *(1,) * (grid.ndim - axis - 1)).astype(grid.dtype)
    return grid.take(below, axis) * (1 - share) + grid.take(above, axis) * share
