"""Resamples positions and kernels to another number of frames or another image size."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
import scipy.ndimage
from jaxtyping import Float

from scenic_video.errors import UserError
from scenic_video.weights.bicubic import resample_bicubic
from scenic_video.weights.patch_resampling import resample_patches

PositionsBy = Literal["linear", "bicubic"]
Patches = Literal["same", "resample", "linear"]


@dataclasses.dataclass(frozen=True)
class Resampling:
    """How learned positions and patch kernels are resampled to those of a model of other sizes.

    `positions_by` is "linear" with aligned end points, as in the public code of ViViT, or
    "bicubic", antialiased as in PyTorch. Kernels of other `patches` are refused ("same"), resampled
    by the pseudo-inverse of FlexiViT ("resample"), or linearly without scaling their values
    ("linear"), as in the public code of MTV.
    """

    positions_by: PositionsBy = "linear"
    patches: Patches = "same"

    def positions(
        self, grid: Float[np.ndarray, "*axes d"], sizes: Sequence[int]
    ) -> Float[np.ndarray, "*new_axes d"]:
        """Positions [*axes, d] on a grid of `sizes`."""
        by = {"linear": resample, "bicubic": resample_bicubic}
        return by[self.positions_by](grid, sizes)

    def kernel(
        self, kernel: Float[np.ndarray, "*axes c d"], sizes: Sequence[int]
    ) -> Float[np.ndarray, "*new_axes c d"]:
        """A kernel [*axes, c, d] for patches of `sizes`. Errors: UserError if they must be the
        same."""
        if kernel.shape[:-2] == tuple(sizes):
            return kernel
        if self.patches == "same" or len(sizes) != kernel.ndim - 2:
            old, new = (" x ".join(map(str, axes)) for axes in (kernel.shape[:-2], sizes))
            raise UserError(
                f"The patches are {old} in the source and {new} here. Set init.patches='resample' "
                "(by FlexiViT's pseudo-inverse) or 'linear' (without scaling), or name the kernel "
                "in allow_random and allow_unused."
            )
        by = {"resample": resample_patches, "linear": resample_leading_axes}
        return by[self.patches](kernel, sizes)

    def words(self, what: str) -> str:
        """As the end of "resample 3 x 3 to 5 x 5": for "positions" or "patches"."""
        method = {"positions": self.positions_by, "patches": self.patches}[what]
        return {"bicubic": ", bicubic", "resample": ", pseudo-inverse"}.get(method, "")


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
