"""Resamples the kernel of a patch embedding to another patch size, by FlexiViT's pseudo-inverse."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from scenic_video.errors import UserError
from scenic_video.weights.bicubic import ResizeMatrix, multiply_axes


def bilinear_matrix(old: int, new: int) -> Float[np.ndarray, "new old"]:
    """The matrix of bilinear resizing along one axis, without antialiasing."""
    centres = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(0.0, 1 - np.abs(np.arange(old) - centres[:, None]))


def resample_patches(
    kernel: Float[np.ndarray, "*axes c d"],
    sizes: Sequence[int],
    *,
    resize_matrix: ResizeMatrix = bilinear_matrix,
) -> Float[np.ndarray, "*new_axes c d"]:
    """A kernel [*axes, c, d] for patches of `sizes`, such as (height, width) or (time, h, w).

    With B the matrix that resizes a patch, it is pinv(B^T) times the kernel: PI-resize of FlexiViT
    (https://arxiv.org/abs/2212.08013, section 3.4). Larger patches have the same tokens as before
    if the images are resized by B; for smaller ones it is the least squares solution.
    `resize_matrix` is bilinear as in the paper; timm's is `bicubic.bicubic_matrix`.
    """
    if len(sizes) != kernel.ndim - 2:
        shape = "x".join(map(str, kernel.shape[:-2]))
        raise UserError(f"Patches of {shape} pixels cannot be resampled to {tuple(sizes)}.")
    # B is the Kronecker product of a matrix per axis, and its pseudo-inverse that of theirs.
    matrices = [
        np.linalg.pinv(resize_matrix(old, new).T)
        for old, new in zip(kernel.shape, sizes, strict=False)
    ]
    return multiply_axes(kernel, matrices)
