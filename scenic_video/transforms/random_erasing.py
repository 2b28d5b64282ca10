"""Random erasing: a box of a clip is hidden."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key

from scenic_video.field_types import Number, Share

AREA = (0.02, 1 / 3)
ASPECT = (0.3, 1 / 0.3)


def random_erasing(
    clip: Float32[Array, "t h w c"],
    rng: Key[Array, ""],
    *,
    mean: Sequence[Number],
    probability: Share = 0.25,
) -> Float32[Array, "t h w c"]:
    """Sets a box to `mean` [c], which normalises to 0, in all frames alike, with a `probability`.

    Its share of the picture is drawn from `AREA`, its height over its width from `ASPECT`, evenly
    in logarithms, and its place evenly; a side longer than the picture's is cut (Zhong et al.,
    Random Erasing Data Augmentation, AAAI 2020, algorithm 1).
    """
    happens_rng, area_rng, aspect_rng, *place_rngs = jax.random.split(rng, 5)
    height, width = clip.shape[1:3]
    area = jax.random.uniform(area_rng, minval=AREA[0], maxval=AREA[1]) * height * width
    low, high = jnp.log(ASPECT[0]), jnp.log(ASPECT[1])
    aspect = jnp.exp(jax.random.uniform(aspect_rng, minval=low, maxval=high))
    sides = jnp.sqrt(area * aspect), jnp.sqrt(area / aspect)
    inside = [
        _span(place_rng, side, size)
        for place_rng, side, size in zip(place_rngs, sides, (height, width), strict=True)
    ]
    box = inside[0][:, None] & inside[1][None, :]
    happens = jax.random.bernoulli(happens_rng, probability)
    fill = np.asarray(mean, np.float32).reshape(1, 1, 1, -1)
    return jnp.where((box & happens)[None, :, :, None], fill, clip)


def _span(rng: Key[Array, ""], side: Array, size: int) -> Array:
    """bool [size]: `side` places in a row, rounded, somewhere."""
    length = jnp.clip(jnp.round(side), 1, size)
    start = jnp.floor(jax.random.uniform(rng) * (size - length + 1))
    places = jnp.arange(size)
    return (places >= start) & (places < start + length)
