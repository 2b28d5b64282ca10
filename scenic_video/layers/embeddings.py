"""Embeds pixels as tokens: patches, tubelets, frame sampling and positions."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange, repeat
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from scenic_video.errors import UserError

KERNEL_STARTS = ("random", "filter_inflation", "central_frame")
SEQUENCE_POSITIONS = ("learned", "sinusoidal_1d", "none")
POSITIONS = (*SEQUENCE_POSITIONS, "sinusoidal", "learned_space_time")
"""All kinds of positions; those in `SEQUENCE_POSITIONS` need no grid."""


class PatchEmbedding(nn.Module):
    """Projects non-overlapping patches to `features`: images by (h, w), videos by (t, h, w).

    A strided convolution without padding (pixels beyond the last patch are dropped), computed as
    one matrix product over flattened patches. Parameters have the convolution's shapes: `kernel`
    [t, h, w, c, features] or [h, w, c, features], and `bias`.
    """

    features: int
    patch_size: Sequence[int]
    kernel_init: Callable[..., Array] = nn.initializers.lecun_normal()
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, pixels: Float[Array, "..."]) -> Float[Array, "..."]:
        shape = (*self.patch_size, pixels.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        patches = flat_patches(pixels, self.patch_size).astype(self.dtype)
        tokens = patches @ kernel.reshape(-1, self.features).astype(self.dtype)
        return tokens + jnp.broadcast_to(bias.astype(self.dtype), tokens.shape)


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
    grid = pixels.shape[-1 - axes : -1]
    if any(length < patch for length, patch in zip(grid, patch_size, strict=True)):
        raise UserError(
            f"A patch of {tuple(patch_size)} does not fit into an input of {tuple(grid)}. "
            "Use a smaller patch, a larger crop, or more frames."
        )
    kept = [length - length % patch for length, patch in zip(grid, patch_size, strict=True)]
    pixels = pixels[(..., *(slice(length) for length in kept), slice(None))]
    outer, inner = [f"x{i}" for i in range(axes)], [f"p{i}" for i in range(axes)]
    pairs = " ".join(f"({x} {p})" for x, p in zip(outer, inner, strict=True))
    pattern = f"... {pairs} c -> ... {' '.join(outer)} ({' '.join(inner)} c)"
    return rearrange(pixels, pattern, **dict(zip(inner, patch_size, strict=True)))


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
    raise UserError(f"Kernels are inflated by one of {KERNEL_STARTS[1:]}; got {method!r}.")


def kernel_initializer(start: str) -> Callable[..., Array]:
    """The initializer of a tubelet kernel [t, h, w, c, d]: "random" over the whole tubelet, or a
    random image kernel that `inflate_kernel` extends over time with the method of that name."""
    draw = nn.initializers.lecun_normal()
    if start == "random":
        return draw
    if start not in KERNEL_STARTS:
        raise UserError(f"Kernels are initialised by one of {KERNEL_STARTS}; got {start!r}.")

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


class LearnedPositions(nn.Module):
    """Adds a learned vector to every token: `pos_embedding` [1, n, d], from N(0, 0.02), float32."""

    @nn.compact
    def __call__(self, tokens: Float[Array, "*batch n d"]) -> Float[Array, "*batch n d"]:
        shape = (1, *tokens.shape[-2:])
        table = self.param("pos_embedding", nn.initializers.normal(0.02), shape)
        return tokens + jnp.broadcast_to(table[0], tokens.shape)


class LearnedSpaceTimePositions(nn.Module):
    """Adds a learned vector for the time and one for the place to every token of a flattened `grid`
    of time and space: `pos_embedding_time` [1, t, 1, d] and `pos_embedding_space`
    [1, 1, n / t, d], from N(0, 0.02), float32."""

    grid: Sequence[int]

    @nn.compact
    def __call__(self, tokens: Float[Array, "b n d"]) -> Float[Array, "b n d"]:
        times, width = self.grid[0], tokens.shape[-1]
        places = tokens.shape[-2] // times
        init = nn.initializers.normal(0.02)
        time = self.param("pos_embedding_time", init, (1, times, 1, width))
        space = self.param("pos_embedding_space", init, (1, 1, places, width))
        table = jnp.repeat(time, places, axis=2) + jnp.repeat(space, times, axis=1)
        return tokens + jnp.broadcast_to(table.reshape(1, -1, width), tokens.shape)


def add_positions(
    tokens: Float[Array, "*batch n d"], kind: str, *, name: str, grid: Sequence[int] | None = None
) -> Float[Array, "*batch n d"]:
    """Adds positions, in float32. `kind` is one of `POSITIONS`; learned positions get the name
    `name`.

    Call it inside a compact module, which then owns the parameters. Tokens without a `grid` are a
    sequence. Errors: UserError for an unknown kind, or for one that needs a grid without a grid.
    """
    tokens = tokens.astype(jnp.float32)
    match kind:
        case "learned":
            return LearnedPositions(name=name)(tokens)
        case "sinusoidal_1d":
            return add_sinusoidal_positions(tokens, tokens.shape[-2:-1])
        case "none":
            return tokens
        case "sinusoidal" if grid is not None:
            return add_sinusoidal_positions(tokens, grid)
        case "learned_space_time" if grid is not None:
            return LearnedSpaceTimePositions(grid, name=name)(tokens)
    known = SEQUENCE_POSITIONS if grid is None else POSITIONS
    raise UserError(f"positions is {kind!r}, not one of {known}.")


class FixedPositions(NamedTuple):
    """Positions that are not parameters of the model.

    `kind` is None if positions are learned; `first` is the position of the first patch.
    """

    kind: str | None
    first: int = 0

    @classmethod
    def of(cls, kind: str, *, first: int = 0) -> "FixedPositions":
        return cls(None) if kind.startswith("learned") else cls(kind, first)


def add_modality_token(
    owner: nn.Module, tokens: Float[Array, "b n d"], name: str
) -> Float[Array, "b n d"]:
    """Adds a learned vector, initially zero, to all tokens: parameter `name` of `owner`."""
    token = owner.param(name, nn.initializers.zeros, (1, 1, tokens.shape[-1]))
    return tokens + jnp.broadcast_to(token, tokens.shape)


def add_sinusoidal_positions(
    tokens: Float[Array, "*batch n d"], grid: Sequence[int]
) -> Float[Array, "*batch n d"]:
    """Adds the fixed positions of a flattened grid, in float32."""
    positions = sinusoidal_positions(grid, tokens.shape[-1])
    return tokens.astype(jnp.float32) + jnp.broadcast_to(positions, tokens.shape)


def sinusoidal_positions(grid: Sequence[int], width: int) -> Float[np.ndarray, "n d"]:
    """Fixed sine-cosine positions of a grid of tokens, (n,), (h, w) or (t, h, w), flattened.

    One axis: sines and cosines interleaved over channels. More: one block of sines and one of
    cosines per axis, ordered time, column, row. Wavelengths grow from 2 pi towards 20000 pi.
    Vaswani et al., section 3.5; for two axes as in MAE.
    """
    blocks = 2 * len(grid)
    if width % blocks:
        raise UserError(
            f"Sinusoidal positions over {len(grid)} axes need a hidden_size divisible by {blocks}; "
            f"got {width}. Use 'sinusoidal_1d' or 'learned'."
        )
    frequencies = 10000.0 ** -(np.arange(width // blocks) / (width // blocks))
    places = [axis.reshape(-1) for axis in np.indices(grid)]
    if len(places) > 1:
        places[-2], places[-1] = places[-1], places[-2]  # the column comes before the row
    waves = []
    for place in places:
        angles = place[:, None] * frequencies[None, :]
        waves += [np.sin(angles), np.cos(angles)]
    stacked = np.stack(waves)
    pattern = "wave n k -> n (k wave)" if len(grid) == 1 else "wave n k -> n (wave k)"
    return rearrange(stacked, pattern).astype(np.float32)
