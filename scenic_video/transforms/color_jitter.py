"""Colour jitter of clips, with the same random change in every frame of a clip."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from scenic_video.field_types import Share

Pixels = Float32[Array, "t h w 3"]
Scalar = Float32[Array, ""]

MAX_BRIGHTNESS_CHANGE = 32 / 255
MAX_HUE_TURN = 0.2
SCALES = (0.6, 1.4)
LUMA = (0.2989, 0.5870, 0.1140)
"""Weights of red, green and blue (ITU-R BT.601)."""


def color_jitter(
    pixels: Pixels, rng: jax.Array, *, probability: Share = 0.8, drop_probability: Share = 0.1
) -> Pixels:
    """Jitters colours with `probability`, then makes the clip grey with `drop_probability`.

    Pixels are in [0, 1]. The jitter is, in this order: brightness + U(-32/255, 32/255),
    saturation * U(0.6, 1.4), contrast * U(0.6, 1.4), hue + U(-0.2, 0.2) turns, clip to [0, 1].
    """
    jitter_rng, jitter_coin, drop_coin = jax.random.split(rng, 3)
    is_jittered = jax.random.bernoulli(jitter_coin, float(probability))
    pixels = jnp.where(is_jittered, jittered(pixels, jitter_rng), pixels)
    is_dropped = jax.random.bernoulli(drop_coin, float(drop_probability))
    return jnp.where(is_dropped, grayscale(pixels), pixels)


def jittered(pixels: Pixels, rng: jax.Array) -> Pixels:
    """Random brightness, saturation, contrast and hue, the same for the whole clip."""
    rngs = jax.random.split(rng, 4)
    change = jax.random.uniform(
        rngs[0], minval=-MAX_BRIGHTNESS_CHANGE, maxval=MAX_BRIGHTNESS_CHANGE
    )
    saturation, contrast = (jax.random.uniform(r, (), jnp.float32, *SCALES) for r in rngs[1:3])
    turn = jax.random.uniform(rngs[3], minval=-MAX_HUE_TURN, maxval=MAX_HUE_TURN)
    pixels = adjust_saturation(pixels + change, saturation)
    pixels = adjust_contrast(pixels, contrast)
    return jnp.clip(adjust_hue(pixels, turn), 0.0, 1.0)


def adjust_saturation(pixels: Pixels, factor: Scalar) -> Pixels:
    """Scales the saturation in HSV, up to at most 1; keeps hue and value."""
    value = jnp.max(pixels, axis=-1, keepdims=True)
    chroma = value - jnp.min(pixels, axis=-1, keepdims=True)
    # The factor at which saturation = chroma / value reaches 1. Values below 0 have no colour.
    limit = jnp.maximum(value, 0.0) / jnp.where(chroma > 0, chroma, 1.0)
    return value - (value - pixels) * jnp.minimum(factor, limit)


def adjust_contrast(pixels: Pixels, factor: Scalar) -> Pixels:
    """Scales the distance from the mean colour of the clip."""
    mean = jnp.mean(pixels, axis=(0, 1, 2), keepdims=True)
    return mean + factor * (pixels - mean)


def adjust_hue(pixels: Pixels, turn: Scalar) -> Pixels:
    """Rotates the hue in HSV by `turn` (1 is a full turn); keeps saturation and value."""
    red, green, blue = jnp.moveaxis(pixels, -1, 0)
    value = jnp.maximum(jnp.maximum(red, green), blue)
    chroma = value - jnp.minimum(jnp.minimum(red, green), blue)
    scale = 1.0 / jnp.where(chroma > 0, chroma, 1.0)
    # A comparison with `value` would fail where the compiler rounds it differently.
    sextant = jnp.where(
        (red >= green) & (red >= blue),
        (green - blue) * scale,
        jnp.where(green >= blue, 2.0 + (blue - red) * scale, 4.0 + (red - green) * scale),
    )
    # Each channel is the value minus chroma * a trapezoid of its distance from the hue.
    distances = [(offset + sextant + 6.0 * turn) % 6.0 for offset in (5.0, 3.0, 1.0)]
    falls = [jnp.clip(jnp.minimum(d, 4.0 - d), 0.0, 1.0) for d in distances]
    return jnp.stack([value - chroma * fall for fall in falls], axis=-1)


def grayscale(pixels: Pixels) -> Pixels:
    """Luma, in all three channels."""
    weights = np.asarray(LUMA, np.float32).reshape(1, 1, 1, 3)
    luma = jnp.sum(pixels * weights, axis=-1, keepdims=True)
    return jnp.broadcast_to(luma, pixels.shape)
