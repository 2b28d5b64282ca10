"""Embeds pixels as tokens: patches, tubelets and frame sampling."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange, repeat
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from scenic_video.errors import UserError

KernelStart = Literal["random", "filter_inflation", "central_frame"]
"""How a tubelet kernel is initialised; see `kernel_initializer`."""


class PatchEmbedding(nn.Module):
    """Projects patches to `features`: images by (h, w), videos by (t, h, w).

    A strided convolution without padding (pixels beyond the last patch are dropped), computed as
    one matrix product over flattened patches. They do not overlap, unless `stride` is smaller than
    `patch_size`. Parameters have the convolution's shapes: `kernel` [t, h, w, c, features] or
    [h, w, c, features], and `bias`.
    """

    features: int
    patch_size: Sequence[int]
    stride: Sequence[int] | None = None
    kernel_init: Callable[..., Array] = nn.initializers.lecun_normal()
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, pixels: Float[Array, "..."]) -> Float[Array, "..."]:
        shape = (*self.patch_size, pixels.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        patches = self._cut(pixels).astype(self.dtype)
        tokens = patches @ kernel.reshape(-1, self.features).astype(self.dtype)
        return tokens + jnp.broadcast_to(bias.astype(self.dtype), tokens.shape)

    def _cut(self, pixels: Float[Array, "..."]) -> Float[Array, "..."]:
        if self.stride is None or tuple(self.stride) == tuple(self.patch_size):
            return flat_patches(pixels, self.patch_size)
        return overlapping_patches(pixels, self.patch_size, self.stride)


def single_images(rgb: Float[Array, "b *one_frame h w c"]) -> Float[Array, "b h w c"]:
    """Images, from images or clips of one frame. Errors: UserError for longer clips."""
    if rgb.ndim == 5 and rgb.shape[1] != 1:
        raise UserError(
            f"This model takes single images; got clips of {rgb.shape[1]} frames. Set "
            "preprocessing.num_frames=1, or use a video model."
        )
    return rgb.reshape(rgb.shape[0], *rgb.shape[-3:])


def check_clip(
    shape: Sequence[int],
    tubelet_size: Sequence[int],
    *,
    change: str = "num_frames or tubelet_size",
) -> None:
    """Errors: UserError unless `shape` is [b, t, h, w, c] and t a multiple of the tubelets' length.

    `change` names the fields to change in the message.
    """
    if len(shape) != 5:
        raise UserError(
            "This model takes clips [batch, time, rows, columns, channels]; got an input of shape "
            f"{tuple(shape)}. Add a time axis, or use an image model."
        )
    if shape[1] % tubelet_size[0]:
        raise UserError(
            f"A clip of {shape[1]} frames cannot be split into tubelets of {tubelet_size[0]}. "
            f"Change {change}."
        )


def flat_patches(pixels: Float[Array, "..."], patch_size: Sequence[int]) -> Float[Array, "..."]:
    """Cuts [..., t, h, w, c] (or [..., h, w, c]) into [..., t', h', w', pixels of one patch].

    Within a patch the order is time, row, column, channel. Pixels beyond the last patch are
    dropped.
    """
    axes = len(patch_size)
    grid = _lengths(pixels, patch_size)
    kept = [length - length % patch for length, patch in zip(grid, patch_size, strict=True)]
    pixels = pixels[(..., *(slice(length) for length in kept), slice(None))]
    outer, inner = [f"x{i}" for i in range(axes)], [f"p{i}" for i in range(axes)]
    pairs = " ".join(f"({x} {p})" for x, p in zip(outer, inner, strict=True))
    pattern = f"... {pairs} c -> ... {' '.join(outer)} ({' '.join(inner)} c)"
    return rearrange(pixels, pattern, **dict(zip(inner, patch_size, strict=True)))


def overlapping_patches(
    pixels: Float[Array, "..."], patch_size: Sequence[int], stride: Sequence[int]
) -> Float[Array, "..."]:
    """`flat_patches` with a patch every `stride` pixels along each axis."""
    axes = len(patch_size)
    lengths = _lengths(pixels, patch_size)
    first = pixels.ndim - 1 - axes
    for axis, (length, patch, step) in enumerate(zip(lengths, patch_size, stride, strict=True)):
        starts = np.arange(0, length - patch + 1, step)
        at = starts[:, None] + np.arange(patch)
        pixels = jnp.take(pixels, at, axis=first + 2 * axis)
    outer, inner = [f"x{i}" for i in range(axes)], [f"p{i}" for i in range(axes)]
    pairs = " ".join(f"{x} {p}" for x, p in zip(outer, inner, strict=True))
    return rearrange(pixels, f"... {pairs} c -> ... {' '.join(outer)} ({' '.join(inner)} c)")


def _lengths(pixels: Float[Array, "..."], patch_size: Sequence[int]) -> tuple[int, ...]:
    """The sizes of the axes that are cut. Errors: UserError if a patch does not fit."""
    grid = pixels.shape[-1 - len(patch_size) : -1]
    if any(length < patch for length, patch in zip(grid, patch_size, strict=True)):
        raise UserError(
            f"A patch of {tuple(patch_size)} does not fit into an input of {tuple(grid)}. "
            "Use a smaller patch, a larger crop, or more frames."
        )
    return grid


def inflate_kernel(
    image_kernel: Float[Array, "h w c d"] | Float[np.ndarray, "h w c d"],
    num_frames: int,
    method: str = "central_frame",
) -> Float[Array, "t h w c d"]:
    """A tubelet kernel initialised from the patch kernel of an image model.

    "central_frame" puts the image kernel at time index num_frames // 2 and zeros elsewhere (only
    that frame counts); "filter_inflation" puts kernel / num_frames everywhere (the mean frame
    counts). ViViT section 3.4, eq. 9 and 8.
    """
    kernel = jnp.asarray(image_kernel)
    if method == "central_frame":
        zeros = jnp.zeros((num_frames, *kernel.shape), kernel.dtype)
        return zeros.at[num_frames // 2].set(kernel)
    if method == "filter_inflation":
        return repeat(kernel / num_frames, "h w c d -> t h w c d", t=num_frames)
    raise UserError(f"Kernels are inflated by one of {get_args(KernelStart)[1:]}; got {method!r}.")


def kernel_initializer(start: str) -> Callable[..., Array]:
    """The initializer of a tubelet kernel [t, h, w, c, d]: "random" over the whole tubelet, or a
    random image kernel that `inflate_kernel` extends over time with the method of that name."""
    draw = nn.initializers.lecun_normal()
    if start == "random":
        return draw
    if start not in get_args(KernelStart):
        raise UserError(
            f"Kernels are initialised by one of {get_args(KernelStart)}; got {start!r}."
        )

    def initialize(key: jax.Array, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> Array:
        if len(shape) != 5:
            raise UserError(f"{start!r} is for kernels [t, h, w, c, d]; this one is {shape}.")
        return inflate_kernel(draw(key, shape[1:], dtype), shape[0], start)

    return initialize


def uniform_frame_indices(num_frames: int, num_samples: int) -> np.ndarray:
    """`num_samples` frame indices spread evenly over a clip: i T / (n + 1), i = 1..n, rounded half
    to even; all frames if `num_samples` equals `num_frames`. ViViT section 3.2.

    The public implementation iterates over a floating-point range and sometimes returns one index
    too many (32 frames, 5 samples); here there are always `num_samples`.
    """
    if not 0 < num_samples <= num_frames:
        raise UserError(f"Cannot sample {num_samples} frames uniformly from {num_frames}.")
    if num_samples == num_frames:
        return np.arange(num_frames)
    steps = np.arange(1, num_samples + 1) * num_frames
    return np.round(steps / (num_samples + 1)).astype(np.int32)


def add_modality_token(
    owner: nn.Module, tokens: Float[Array, "b n d"], name: str
) -> Float[Array, "b n d"]:
    """Adds a learned vector, initially zero, to all tokens: parameter `name` of `owner`."""
    token = owner.param(name, nn.initializers.zeros, (1, 1, tokens.shape[-1]))
    return tokens + jnp.broadcast_to(token, tokens.shape)
