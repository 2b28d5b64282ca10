"""What an image model's kernels and positions become in models of videos and sound."""

import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.layers.embeddings import flat_patches
from scenic_video.weights.image_models import (
    change_channels,
    present,
    take_kernel,
    take_positions,
    take_resampled_positions,
)

NUMBERS = np.random.default_rng(0)
KERNEL = NUMBERS.normal(size=(4, 4, 3, 6)).astype(np.float32)


def tokens(pixels, kernel):
    patches = np.asarray(flat_patches(jnp.asarray(pixels), kernel.shape[:-2]))
    return patches.reshape(len(pixels), -1, patches.shape[-1]) @ kernel.reshape(-1, 6)


@pytest.mark.parametrize(("old", "new"), [(3, 1), (1, 3), (3, 3), (3, 2)])
def test_a_grey_picture_gives_the_same_tokens_whatever_the_channels(old, new):
    grey = NUMBERS.normal(size=(2, 8, 8, 1)).astype(np.float32)
    kernel = KERNEL[:, :, :old]
    changed = change_channels(kernel, new)
    assert changed.shape == (4, 4, new, 6)
    before, after = (tokens(grey.repeat(k.shape[2], axis=-1), k) for k in (kernel, changed))
    np.testing.assert_allclose(before, after, atol=1e-5)


def test_a_clip_that_stands_still_gives_the_tokens_of_its_picture():
    take = take_kernel("embedding/kernel", (2, 4, 4, 3, 6), inflation="filter_inflation")
    assert (take.path, take.name) == ("embedding/kernel", "filter_inflation of 2")
    picture = NUMBERS.normal(size=(2, 8, 8, 3)).astype(np.float32)
    clip = np.stack([picture, picture], axis=1)
    np.testing.assert_allclose(tokens(clip, take(KERNEL)), tokens(picture, KERNEL), atol=1e-5)


@pytest.mark.parametrize("class_token", [True, False])
def test_positions_are_resampled_over_space_and_repeated_over_time(class_token):
    table = NUMBERS.normal(size=(1, 10, 6)).astype(np.float32)
    take = take_positions("p", grid=(2, 5, 3), class_token=class_token, image_class_token=True)
    new = take(table)[0]
    assert new.shape == (30 + class_token, 6)
    first, second = new[int(class_token) :].reshape(2, 5, 3, 6)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first[::2], table[0, 1:].reshape(3, 3, 6), atol=1e-6)
    if class_token:
        np.testing.assert_array_equal(new[0], table[0, 0])


def test_positions_that_are_no_square_are_refused():
    take = take_positions("p", grid=(1, 2, 2), class_token=False, image_class_token=False)
    with pytest.raises(ValueError, match="has 7 positions, which is no square"):
        take(np.zeros((1, 7, 6), np.float32))


def test_positions_of_the_same_grid_are_taken_as_they_are():
    assert take_resampled_positions("p", old=(2, 3), new=(2, 3)).transform is None
    take = take_resampled_positions("p", old=(2, 3), new=(3, 3))
    new = take(np.arange(7, dtype=np.float32).reshape(1, 7, 1))
    np.testing.assert_allclose(new[0, :, 0], [0, 1, 2, 3, 2.5, 3.5, 4.5, 4, 5, 6])
    with pytest.raises(ValueError, match="9 positions is not one over 2 x 3"):
        take(np.zeros((1, 9, 1), np.float32))


def test_patterns_that_match_nothing_are_left_out():
    assert present(["a/.*", "b"], ["a/x", "bb"]) == ["a/.*"]
