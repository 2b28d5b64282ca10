"""RandAugment of clips: each operation treats the frames of a clip as one tall image.

RandAugment (Cubuk et al., 2020, https://arxiv.org/abs/1909.13719) as in the public video recipes:
frames are stacked along the height, and each random operation is applied once to the stack.
Statistics (contrast limits, histograms) are therefore those of the clip, and equal colours remain
equal in all frames. The level of an operation is magnitude / 10.

Operations map uint8 [T, H, W, 3] to the same. Results do not depend on the hardware: products are
rounded before they are added (see `_product`).
"""

import functools
from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Interval
from einops import rearrange
from jaxtyping import Array, Float32, UInt8

from scenic_video.field_types import Count
from scenic_video.transforms.one_by_one import one_by_one

Clip = UInt8[Array, "t h w 3"]
Operation = Callable[[Clip, int | float, jax.Array], Clip]

Magnitude = Annotated[float | int, Interval(ge=1, le=20)]
"""At 20, Posterize keeps all 8 bits."""

CUTOUT_HALF_SIDE = 40
"""Pixels from the centre of the square of Cutout to its edge."""


def randaugment(
    pixels: Float32[Array, "t h w 3"],
    rng: jax.Array,
    *,
    num_layers: Count = 2,
    magnitude: Magnitude = 15,
) -> Float32[Array, "t h w 3"]:
    """Applies `num_layers` random operations to pixels in [0, 1], which are rounded to bytes.

    Under `vmap` a `lax.switch` would compute all operations for all clips, so clips of a batch are
    augmented one after another, see `one_by_one`.
    """
    operations = functools.partial(apply_operations, num_layers=num_layers, magnitude=magnitude)
    return one_by_one(operations)(_to_uint8(jnp.round(pixels * 255)), rng).astype(jnp.float32) / 255


def apply_operations(
    clip: Clip, rng: jax.Array, *, num_layers: int, magnitude: int | float
) -> Clip:
    """Applies `num_layers` of `OPERATIONS`, sampled uniformly with replacement."""
    branches = [functools.partial(_apply, operation, magnitude) for operation in OPERATIONS]

    def add_layer(layer: jax.Array, clip: Clip) -> Clip:
        choice_rng, operation_rng = jax.random.split(jax.random.fold_in(rng, layer))
        choice = jax.random.randint(choice_rng, (), 0, len(OPERATIONS))
        return jax.lax.switch(choice, branches, clip, operation_rng)

    return jax.lax.fori_loop(0, num_layers, add_layer, clip)


def identity(clip: Clip, magnitude: int | float, rng: jax.Array) -> Clip:
    """The clip, unchanged."""
    return clip


def auto_contrast(clip: Clip, magnitude: int | float, rng: jax.Array) -> Clip:
    """Stretches each channel so that the clip's darkest value is 0 and its brightest 255."""
    pixels = clip.astype(jnp.float32)
    low = jnp.min(pixels, axis=(0, 1, 2), keepdims=True)
    high = jnp.max(pixels, axis=(0, 1, 2), keepdims=True)
    scale = 255.0 / jnp.maximum(high - low, 1.0)
    stretched = _product(pixels, scale) - _product(low, scale)
    return jnp.where(high > low, _to_uint8(stretched), clip)


def equalize(clip: Clip, magnitude: int | float, rng: jax.Array) -> Clip:
    """Flattens the histogram of each channel over the clip."""

    def of_channel(channel):
        histogram = jnp.bincount(channel, length=256)
        brightest = histogram[jnp.max(channel)]
        step = (channel.size - brightest) // 255
        ranks = (jnp.cumsum(histogram) + step // 2) // jnp.maximum(step, 1)
        table = jnp.clip(jnp.concatenate([jnp.zeros_like(ranks[:1]), ranks[:-1]]), 0, 255)
        return jnp.where(step > 0, table.astype(jnp.uint8)[channel], channel)

    channels = [of_channel(clip[..., index].reshape(-1)) for index in range(clip.shape[-1])]
    return jnp.stack(channels, axis=-1).reshape(clip.shape)


def invert(clip: Clip, magnitude: int | float, rng: jax.Array) -> Clip:
    """The negative."""
    return 255 - clip


def posterize(clip: Clip, magnitude: int | float, rng: jax.Array) -> Clip:
    """Keeps the upper bits of each value: 4 at magnitude 10, all 8 at magnitude 20."""
    kept_bits = int(magnitude / 10 * 4)
    return clip & np.uint8(256 - 2 ** (8 - kept_bits))


def solarize(clip: Clip, magnitude: int | float, rng: jax.Array) -> Clip:
    """Inverts the values at or above a threshold.

    The threshold is 256 * level modulo 256, since in the public recipes it is an 8-bit number that
    overflows: 128 at magnitude 15, but 0 at magnitudes 10 and 20, which inverts everything.
    """
    threshold = int(magnitude / 10 * 256) % 256
    return jnp.where(clip < threshold, clip, 255 - clip)


def solarize_add(clip: Clip, magnitude: int | float, rng: jax.Array) -> Clip:
    """Adds 110 * level to the values below 128."""
    brightened = jnp.minimum(clip.astype(jnp.int32) + int(magnitude / 10 * 110), 255)
    return jnp.where(clip < 128, brightened.astype(jnp.uint8), clip)


def color(clip: Clip, magnitude: int | float, rng: jax.Array) -> Clip:
    """Increases (or, below level 0.5, decreases) the difference from grey."""
    return _blend(_grayscale(clip), clip, magnitude)


def contrast(clip: Clip, magnitude: int | float, rng: jax.Array) -> Clip:
    """Increases the difference from a constant grey.

    This grey is the number of pixels of the clip / 256, at most 255, not their mean: the public
    recipes were trained with this. For clips of usual size it is white.
    """
    gray = min(clip[..., 0].size // 256, 255)
    return _blend(jnp.full_like(clip, gray), clip, magnitude)


def brightness(clip: Clip, magnitude: int | float, rng: jax.Array) -> Clip:
    """Scales the values, that is, increases their difference from black."""
    return _blend(jnp.zeros_like(clip), clip, magnitude)


def sharpness(clip: Clip, magnitude: int | float, rng: jax.Array) -> Clip:
    """Increases the difference from the 3x3 smoothed stack, in which frames touch."""
    stack = rearrange(clip, "t h w c -> (t h) w c")
    pixels = stack.astype(jnp.float32)
    light, heavy = (_product(pixels, np.float32(weight / 13)) for weight in (1, 5))
    height, width, _ = stack.shape
    smooth = jnp.zeros_like(pixels[1:-1, 1:-1])
    for row in range(3):
        for column in range(3):
            part = heavy if row == column == 1 else light
            smooth += part[row : height - 2 + row, column : width - 2 + column]
    blurred = stack.at[1:-1, 1:-1].set(_to_uint8(smooth))
    return _blend(blurred.reshape(clip.shape), clip, magnitude)


def cutout(clip: Clip, magnitude: int | float, rng: jax.Array) -> Clip:
    """Sets a square around a random pixel to 0, the same square in every frame."""

    def near(centre, size):
        positions = jnp.arange(size)
        return (positions >= centre - CUTOUT_HALF_SIDE) & (positions < centre + CUTOUT_HALF_SIDE)

    _, height, width, _ = clip.shape
    row_rng, column_rng = jax.random.split(rng)
    rows = near(jax.random.randint(row_rng, (), 0, height), height)
    columns = near(jax.random.randint(column_rng, (), 0, width), width)
    hole = (rows[:, None] & columns[None, :])[None, :, :, None]
    return jnp.where(hole, jnp.uint8(0), clip)


OPERATIONS: tuple[Operation, ...] = (
    identity,
    auto_contrast,
    equalize,
    invert,
    posterize,
    solarize,
    color,
    contrast,
    brightness,
    sharpness,
    cutout,
    solarize_add,
)


def _apply(operation: Operation, magnitude: int | float, clip: Clip, rng: jax.Array) -> Clip:
    return operation(clip, magnitude, rng)


def _blend(start: Clip, clip: Clip, magnitude: int | float) -> Clip:
    """start + (clip - start) * (0.1 + 1.8 * level); above 1 this extrapolates."""
    factor = np.float32(magnitude / 10 * 1.8 + 0.1)
    origin = start.astype(jnp.float32)
    return _to_uint8(origin + _product(clip.astype(jnp.float32) - origin, factor))


def _grayscale(clip: Clip) -> Clip:
    """Luma (ITU-R BT.601, four digits), rounded half up; exact, since it uses integers."""
    luma = jnp.sum(clip.astype(jnp.int32) * np.asarray([[[[2989, 5870, 1140]]]], np.int32), axis=-1)
    gray = (luma * 511 // (2 * 255 * 10_000)).astype(jnp.uint8)
    return jnp.broadcast_to(gray[..., None], clip.shape)


def _product(a: Float32[Array, "..."], b: Float32[Array, "..."] | np.float32) -> Array:
    """a * b, rounded before anything is added to it.

    Compilers may fuse a product with the sum that follows and skip one rounding. Values are
    truncated to integers later, so this can change a pixel, and it depends on the hardware. A
    `where` between product and sum prevents it.
    """
    product = a * b
    return jnp.where(product != 0, product, 0.0)


def _to_uint8(pixels: Float32[Array, "..."]) -> UInt8[Array, "..."]:
    """Clips to [0, 255] and truncates to integers."""
    return jnp.clip(pixels, 0.0, 255.0).astype(jnp.uint8)
