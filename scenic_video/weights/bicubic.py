"""Antialiased bicubic resampling of position tables, as PyTorch and timm compute it."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from scenic_video.errors import UserError

ResizeMatrix = Callable[[int, int], np.ndarray]
"""(old size, new size) -> the [new, old] matrix that resizes a signal along one axis."""


def resample_bicubic(
    grid: Float[np.ndarray, "*axes d"], sizes: Sequence[int]
) -> Float[np.ndarray, "*new_axes d"]:
    """Bicubic interpolation of [*axes, d] to [*sizes, d], whatever the number of axes.

    For two axes it equals `torch.nn.functional.interpolate(mode="bicubic", antialias=True)`, which
    timm's `resample_abs_pos_embed` calls: edges of cells are aligned, not their centres.
    """
    if len(sizes) != grid.ndim - 1:
        raise UserError(f"{grid.ndim - 1} axes cannot be resampled to {tuple(sizes)}.")
    matrices = [bicubic_matrix(old, new) for old, new in zip(grid.shape, sizes, strict=False)]
    return multiply_axes(grid, matrices)


def multiply_axes(array: Float[np.ndarray, "..."], matrices: Sequence[np.ndarray]) -> np.ndarray:
    """The first axes of an array, each multiplied by its [new, old] matrix, in float64."""
    product = np.float64(array)
    for axis, matrix in enumerate(matrices):
        if not np.array_equal(matrix, np.eye(len(matrix))):
            product = np.moveaxis(np.tensordot(matrix, product, axes=(1, axis)), 0, axis)
    return np.asarray(product, array.dtype)


def bicubic_matrix(old: int, new: int) -> Float[np.ndarray, "new old"]:
    """The matrix of bicubic resizing along one axis, with a wider kernel where it shrinks."""
    stride = old / new
    centres = (np.arange(new) + 0.5) * stride - 0.5
    weights = _cubic((np.arange(old) - centres[:, None]) / max(stride, 1.0))
    return weights / weights.sum(axis=1, keepdims=True)


def _cubic(distance: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys' cubic convolution kernel (1981, eq. 4), which is 0 from a distance of 2."""
    x = np.abs(distance)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
