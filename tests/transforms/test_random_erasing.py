import functools

import jax
import jax.numpy as jnp
import numpy as np

from scenic_video.transforms.random_erasing import random_erasing
from tests.helpers.transforms import RgbTransform

CLIP = jnp.ones((2, 40, 60, 3))


def erased(number: int = 300, probability: float = 1.0) -> np.ndarray:
    """bool [number, h, w]: what was hidden of each clip, the same in all frames and channels."""
    rngs = jax.random.split(jax.random.key(0), number)
    erase = functools.partial(random_erasing, CLIP, mean=(0.0,) * 3, probability=probability)
    clips = jax.jit(jax.vmap(lambda rng: erase(rng=rng)))(rngs)
    hidden = np.asarray(clips) == 0
    assert (hidden == hidden[:, :1, :, :, :1]).all()
    return hidden[:, 0, :, :, 0]


def test_a_box_of_the_sampled_area_is_hidden():
    hidden = erased()
    rows, columns = np.asarray(hidden.any(axis=2)), np.asarray(hidden.any(axis=1))
    np.testing.assert_array_equal(hidden, rows[:, :, None] & columns[:, None, :])
    shares = hidden.mean(axis=(1, 2))
    assert shares.min() > 0.01 and shares.max() < 0.36
    assert 0.13 < shares.mean() < 0.2
    heights, widths = rows.sum(axis=1), columns.sum(axis=1)
    assert (heights / widths).min() < 0.5 and (heights / widths).max() > 2
    corners = np.stack([rows.argmax(axis=1), columns.argmax(axis=1)])
    assert np.unique(corners, axis=1).shape[1] > 200


def test_clips_are_erased_with_the_given_probability():
    share = erased(2000, probability=0.25).any(axis=(1, 2)).mean()
    assert 0.22 < share < 0.28


def test_an_erased_box_is_the_mean_and_evaluation_is_unchanged():
    pixels = np.full((3, 2, 16, 16, 3), 200, np.uint8)
    erase = functools.partial(random_erasing, probability=1.0)
    transform = RgbTransform(mean=(0.4,) * 3, std=(0.3,) * 3, augmentations=(erase,))
    plain = transform({"rgb": pixels}, rng=jax.random.key(1), train=False)["rgb"]
    cut = transform({"rgb": pixels}, rng=jax.random.key(1), train=True)["rgb"]
    hidden = np.asarray(cut) == 0
    assert hidden.any(axis=(1, 2, 3, 4)).all() and not (np.asarray(plain) == 0).any()
    np.testing.assert_allclose(np.where(hidden, plain, cut), plain, atol=1e-6)
    assert len({example.tobytes() for example in hidden}) == 3
