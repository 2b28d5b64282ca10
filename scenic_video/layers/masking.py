"""Masked autoencoding: samples masks, places tokens, and computes targets."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange, repeat
from jaxtyping import Array, Float, Int, Key

from scenic_video.config import check_arguments
from scenic_video.errors import UserError
from scenic_video.field_types import ShareBelowOne
from scenic_video.layers.embeddings import flat_patches

MaskingStrategy = Literal["random", "tube"]
Standardization = Literal["none", "patch", "patch_channels"]


class Mask(NamedTuple):
    """The indices of the hidden and of the visible tokens of each example, together all tokens."""

    hidden: Int[Array | np.ndarray, "b h"]
    visible: Int[Array | np.ndarray, "b v"]


class Reconstruction(NamedTuple):
    """The prediction for one modality, n patches of p values each.

    `mask` is 1 for patches that are scored, and 0 elsewhere.
    """

    prediction: Float[Array, "b n p"]
    target: Float[Array, "b n p"]
    mask: Float[Array, "b n"]


@check_arguments
def sample_mask(
    rng: Key[Array, ""],
    *,
    batch_size: int,
    grid: Sequence[int],
    rate: ShareBelowOne,
    strategy: MaskingStrategy = "random",
) -> Mask:
    """Hides int(rate * n) of the n tokens of a flattened grid, independently in each example.

    "random" samples from all tokens; "tube" samples int(rate * h w) places of a grid (t, h, w) and
    hides them in every frame (Tong et al., VideoMAE, section 3.3).
    """
    if strategy == "tube" and len(grid) != 3:
        raise UserError(f"Tube masking needs a grid of time, rows and columns; got {tuple(grid)}.")
    num_frames = grid[0] if strategy == "tube" else 1
    num_places = int(np.prod(grid)) // num_frames
    num_hidden = int(rate * num_places)
    if rate and not num_hidden:
        raise UserError(
            f"A masking rate of {rate} hides none of {num_places} tokens. Raise it above "
            f"{1 / num_places:.3g}, or set it to 0."
        )
    places = repeat(jnp.arange(num_places), "n -> b n", b=batch_size)
    places = jax.random.permutation(rng, places, axis=1, independent=True)
    halves = jnp.split(places, [num_hidden], axis=1)
    frames = num_places * jnp.arange(num_frames)
    return Mask(*((frames[None, :, None] + x[:, None]).reshape(batch_size, -1) for x in halves))


def take_tokens(
    tokens: Float[Array, "b n d"], indices: Int[Array | np.ndarray, "b k"]
) -> Float[Array, "b k d"]:
    """The tokens at these indices, in their order."""
    return jnp.take_along_axis(tokens, jnp.asarray(indices)[..., None], axis=1)


def place_tokens(
    background: Float[Array, "b n d"],
    tokens: Float[Array, "b k d"],
    indices: Int[Array | np.ndarray, "b k"],
) -> Float[Array, "b n d"]:
    """The background with these tokens at these indices."""
    return jax.vmap(lambda row, at, new: row.at[at].set(new))(background, indices, tokens)


@check_arguments
def reconstruction_target(
    pixels: Float[Array, "..."],
    patch_size: Sequence[int],
    *,
    standardize: Standardization = "none",
    central_frame: bool = False,
    grayscale: bool = False,
) -> Float[Array, "b n p"]:
    """The values of every patch of [b, (t,) h, w, c], in order of time, row, column, channel.

    `standardize` gives the values of each "patch", or of each channel of a patch
    ("patch_channels"), mean 0 and variance 1 (He et al., Masked Autoencoders, section 3).
    `central_frame` keeps frame t // 2 of every tubelet; `grayscale` puts the luma of a colour video
    in each channel.
    """
    channels = pixels.shape[-1]
    if grayscale:
        pixels = _grayscale(pixels)
    patches = flat_patches(pixels.astype(jnp.float32), patch_size)
    patches = patches.reshape(patches.shape[0], -1, patches.shape[-1])
    if central_frame:
        if len(patch_size) != 3:
            raise UserError(f"Only tubelets have a central frame; the patch is {patch_size}.")
        patches = rearrange(patches, "b n (t p) -> b n t p", t=patch_size[0])
        patches = patches[:, :, patch_size[0] // 2]
    patches = rearrange(patches, "b n (p c) -> b n p c", c=channels)
    if standardize != "none":
        axes = (-2, -1) if standardize == "patch" else (-2,)
        mean = patches.mean(axis=axes, keepdims=True)
        variance = jnp.square(patches - mean).mean(axis=axes, keepdims=True)
        patches = (patches - mean) / jnp.sqrt(variance + 1e-6)
    return rearrange(patches, "b n p c -> b n (p c)")


def _grayscale(pixels: Array) -> Array:
    if pixels.shape[-1] != 3:
        raise UserError(f"grayscale needs 3 colour channels; got {pixels.shape[-1]}.")
    luma = pixels @ jnp.asarray([0.2989, 0.587, 0.114], pixels.dtype)
    return repeat(luma, "... -> ... c", c=3)
