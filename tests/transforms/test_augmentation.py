import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.transforms.augmentation import KEY_OFFSET, augment

RNG = jax.random.key(0)
EXAMPLES = jnp.ones((3, 4))


def doubled(example, rng):
    return 2 * example


def with_noise(example, rng):
    return example + jax.random.uniform(rng, example.shape)


def filled(example, rng, *, mean):
    return jnp.full_like(example, mean)


def test_augmentations_are_applied_in_the_order_of_the_list():
    noise = augment(EXAMPLES, [with_noise], RNG) - EXAMPLES
    np.testing.assert_allclose(augment(EXAMPLES, [with_noise, doubled], RNG), 2 * (1 + noise))
    assert not np.allclose(augment(EXAMPLES, [doubled, with_noise], RNG), 2 * (1 + noise))


def test_the_key_of_an_augmentation_depends_on_example_and_position():
    """Fixes the scheme, since any change would make older runs resume differently."""
    key = jax.random.fold_in(RNG, 2)
    first = augment(EXAMPLES, [with_noise], RNG)[2]
    np.testing.assert_array_equal(first, with_noise(EXAMPLES[2], key))
    second = augment(EXAMPLES, [doubled, with_noise], RNG)[2]
    later = jax.random.fold_in(key, KEY_OFFSET + 1)
    np.testing.assert_array_equal(second, with_noise(2 * EXAMPLES[2], later))


def test_the_mean_is_passed_to_augmentations_with_that_keyword():
    assert (augment(EXAMPLES, [doubled, filled], RNG, mean=7.0) == 7).all()
    own = functools.partial(filled, mean=3.0)
    assert (augment(EXAMPLES, [own], RNG, mean=7.0) == 3).all()


@pytest.mark.parametrize("wrong", [lambda x, rng: x[:1], lambda x, rng: x.astype(jnp.bfloat16)])
def test_an_augmentation_must_keep_shape_and_type(wrong):
    with pytest.raises(ValueError, match="must return an example of the same shape and type"):
        augment(EXAMPLES, [wrong], RNG)
