"""Random erasing: hides a box of a clip."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key

from scenic_video.field_types import Number, Share

AREA = (0.02, 1 / 3)
"""Share of the area of a frame."""
ASPECT = (0.3, 1 / 0.3)
"""Height / width."""


def random_erasing(
    clip: Float32[Array, "t h w c"],
    rng: Key[Array, ""],
    *,
    mean: Sequence[Number],
    probability: Share = 0.25,
) -> Float32[Array, "t h w c"]:
    """With `probability`, sets the same box of all frames to `mean` [c], which normalises to 0.

    Its share of the frame is uniform over `AREA`, its height / width log-uniform over `ASPECT`, and
    its position uniform; a side that is longer than the frame is shortened to it (Zhong et al.,
    Random Erasing Data Augmentation, AAAI 2020, algorithm 1).
    """
    apply_rng, area_rng, aspect_rng, *position_rngs = jax.random.split(rng, 5)
    height, width = clip.shape[1:3]
    area = jax.random.uniform(area_rng, minval=AREA[0], maxval=AREA[1]) * height * width
    low, high = jnp.log(ASPECT[0]), jnp.log(ASPECT[1])
    aspect = jnp.exp(jax.random.uniform(aspect_rng, minval=low, maxval=high))
    sides = jnp.sqrt(area * aspect), jnp.sqrt(area / aspect)
    inside = [
        _span(position_rng, side, size)
        for position_rng, side, size in zip(position_rngs, sides, (height, width), strict=True)
    ]
    box = inside[0][:, None] & inside[1][None, :]
    is_applied = jax.random.bernoulli(apply_rng, probability)
    fill = np.asarray(mean, np.float32).reshape(1, 1, 1, -1)
    return jnp.where((box & is_applied)[None, :, :, None], fill, clip)


def _span(rng: Key[Array, ""], side: Array, size: int) -> Array:
    """bool [size]: True at `side` (rounded) consecutive positions from a random one."""
    length = jnp.clip(jnp.round(side), 1, size)
    start = jnp.floor(jax.random.uniform(rng) * (size - length + 1))
    positions = jnp.arange(size)
    return (positions >= start) & (positions < start + length)
