"""What an image model's kernels and positions become in models of videos and audio."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.layers.embeddings import flat_patches
from scenic_video.weights.image_models import (
    change_channels,
    grid_of_positions,
    is_image_model,
    present,
    take_kernel,
    take_positions,
    take_resampled_positions,
)
from scenic_video.weights.model_weights import ModelWeights, token_grid
from scenic_video.weights.patch_resampling import resample_patches
from scenic_video.weights.resampling import Resampling

NUMBERS = np.random.default_rng(0)
KERNEL = NUMBERS.normal(size=(4, 4, 3, 6)).astype(np.float32)


def tokens(pixels, kernel):
    patches = np.asarray(flat_patches(jnp.asarray(pixels), kernel.shape[:-2]))
    return patches.reshape(len(pixels), -1, patches.shape[-1]) @ kernel.reshape(-1, 6)


@pytest.mark.parametrize(("old", "new"), [(3, 1), (1, 3), (3, 3), (3, 2)])
def test_a_grey_image_gives_the_same_tokens_whatever_the_channels(old, new):
    grey = NUMBERS.normal(size=(2, 8, 8, 1)).astype(np.float32)
    kernel = KERNEL[:, :, :old]
    changed = change_channels(kernel, new)
    assert changed.shape == (4, 4, new, 6)
    before, after = (tokens(grey.repeat(k.shape[2], axis=-1), k) for k in (kernel, changed))
    np.testing.assert_allclose(before, after, atol=1e-5)


def test_a_static_clip_gives_the_tokens_of_its_frame():
    take = take_kernel(
        "embedding/kernel", (2, 4, 4, 3, 6), kernel=KERNEL, inflation="filter_inflation"
    )
    assert (take.path, take.name) == ("embedding/kernel", "filter_inflation of 2")
    image = NUMBERS.normal(size=(2, 8, 8, 3)).astype(np.float32)
    clip = np.stack([image, image], axis=1)
    np.testing.assert_allclose(tokens(clip, take(KERNEL)), tokens(image, KERNEL), atol=1e-5)


def test_every_change_of_a_kernel_is_stated():
    resampling = Resampling(patches="resample")
    take = take_kernel("k", (2, 2, 8, 1, 6), kernel=KERNEL, resampling=resampling)
    assert take.name == "central_frame of 2, patches of 4 x 4, pseudo-inverse, 3 to 1 channels"
    middle = resample_patches(change_channels(KERNEL, 1), (2, 8))
    np.testing.assert_allclose(take(KERNEL)[1], middle, atol=1e-6)
    assert take_kernel("k", KERNEL.shape, kernel=KERNEL).transform is None
    refused = take_kernel("k", (2, 8, 3, 6), kernel=KERNEL)
    with pytest.raises(ValueError, match="4 x 4 in the source and 2 x 8 here. Set init.patches="):
        refused(KERNEL)


def test_a_model_that_embeds_frames_one_by_one_is_no_image_model():
    def model(kernel, places, table="Transformer"):
        params = {
            "embedding": {"kernel": np.zeros((*kernel, 3, 4))},
            table: {"posembed_input": {"pos_embedding": np.zeros((1, places, 4))}},
        }
        return ModelWeights(params, {"rgb": (4, 16, 32)})

    assert is_image_model(model((8, 8), 8), "rgb")
    assert not is_image_model(model((8, 8), 32), "rgb")
    assert not is_image_model(model((2, 8, 8), 8), "rgb")
    assert not is_image_model(model((8, 8), 8, table="Encoder"), "rgb")
    assert not is_image_model(ModelWeights({}), "rgb")


TABLE = NUMBERS.normal(size=(1, 10, 6)).astype(np.float32)
"""A class token's position and those of 3 x 3 places."""


@pytest.mark.parametrize("class_token", [True, False])
def test_positions_are_resampled_over_space_and_repeated_over_time(class_token):
    take = take_positions(
        "p", grid=(2, 5, 3), class_tokens=int(class_token), image_class_tokens=1, image_grid=(3, 3)
    )
    assert take.name == "resample 3 x 3 to 5 x 3, repeated 2 times"
    new = take(TABLE)[0]
    assert new.shape == (30 + class_token, 6)
    first, second = new[int(class_token) :].reshape(2, 5, 3, 6)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first[::2], TABLE[0, 1:].reshape(3, 3, 6), atol=1e-6)
    if class_token:
        np.testing.assert_array_equal(new[0], TABLE[0, 0])


def test_positions_of_a_wide_image_keep_its_rows_and_columns():
    table = np.arange(8, dtype=np.float32).reshape(1, 8, 1)
    options: Any = {"class_tokens": 0, "image_class_tokens": 0}
    take = take_positions("p", grid=(1, 2, 2), image_grid=(2, 4), **options)
    assert take(table)[0, :, 0].tolist() == [0, 3, 4, 7]
    take = take_positions("p", grid=(1, 4, 2), image_grid=(2, 4), **options)
    assert take.name == "resample 2 x 4 to 4 x 2"
    np.testing.assert_allclose(take(table)[0, ::2, 0], [0, 4 / 3, 8 / 3, 4], atol=1e-6)


def test_as_many_positions_as_there_are_places_are_those_of_the_places():
    take = take_positions("p", grid=(1, 3, 3), class_tokens=1, image_class_tokens=1)
    assert take.name == "3 x 3 unchanged"
    np.testing.assert_array_equal(take(TABLE), TABLE)


@pytest.mark.parametrize(
    ("image_grid", "message"),
    [
        (None, r"9 positions and this model 2 x 2.*source_grid=\(rows"),
        ((2, 4), "9 positions, which does not match an image of 2 x 4 patches"),
        ((1, 3, 3), "9 positions, .* of 1 x 3 x 3 patches. For a video model use"),
    ],
)
def test_rows_and_columns_are_never_guessed_from_the_number_of_positions(image_grid, message):
    """9 positions would make a square."""
    take = take_positions(
        "p", grid=(1, 2, 2), class_tokens=0, image_class_tokens=1, image_grid=image_grid
    )
    with pytest.raises(ValueError, match=message):
        take(TABLE)


def test_a_patch_kernel_and_the_size_of_an_input_give_the_grid():
    assert token_grid(np.zeros((16, 8, 3, 4)), (1, 224, 80)) == (14, 10)
    assert token_grid(np.zeros((2, 16, 16, 3, 4)), (32, 224, 230)) == (16, 14, 14)
    assert token_grid(np.zeros((2, 16, 16, 3, 4)), (224, 224)) is None
    assert token_grid(None, (224, 224)) is token_grid(np.zeros((4, 4, 3, 4)), None) is None


def test_a_grid_that_is_stated_counts_before_the_size_of_the_inputs():
    params, inputs = {"embedding": {"kernel": np.zeros((8, 8, 3, 4))}}, {"rgb": (1, 16, 32)}
    assert ModelWeights(params, inputs).token_grid("rgb") == (2, 4)
    assert ModelWeights(params, inputs, grid=(4, 2)).token_grid("rgb") == (4, 2)
    assert ModelWeights(params).token_grid("rgb") is None


def test_the_number_of_positions_gives_what_a_patch_kernel_lacks():
    frames = ModelWeights({"embedding": {"kernel": np.zeros((8, 8, 3, 4))}}, {"rgb": (4, 16, 32)})
    assert grid_of_positions(frames, 8, "rgb") == (1, 2, 4)
    assert grid_of_positions(frames, 24, "rgb") == (3, 2, 4)
    clips = ModelWeights({"embedding": {"kernel": np.zeros((2, 8, 8, 3, 4))}}, frames.inputs)
    assert [grid_of_positions(clips, n, "rgb") for n in (16, 8)] == [(2, 2, 4), (1, 2, 4)]
    with pytest.raises(ValueError, match="the size of its audio inputs is. .*init.source_grid"):
        grid_of_positions(frames, 8, "audio")


def test_positions_of_the_same_grid_are_taken_as_they_are():
    assert take_resampled_positions("p", old=(2, 3), new=(2, 3)).transform is None
    take = take_resampled_positions("p", old=(2, 3), new=(3, 3))
    new = take(np.arange(7, dtype=np.float32).reshape(1, 7, 1))
    np.testing.assert_allclose(new[0, :, 0], [0, 1, 2, 3, 2.5, 3.5, 4.5, 4, 5, 6])
    with pytest.raises(ValueError, match="9 positions does not match a grid of 2 x 3"):
        take(np.zeros((1, 9, 1), np.float32))


def test_class_tokens_are_dropped_or_have_zeros_and_times_are_averaged():
    table = np.arange(9, dtype=np.float32).reshape(1, 9, 1)
    take = take_resampled_positions("p", old=(2, 2, 2), new=(2, 2), tokens=(2, 1))
    assert take.name == "mean over 2 times, zeros for the class token"
    assert take(table)[0, :, 0].tolist() == [0, 0, 3, 4, 5, 6]
    take = take_resampled_positions("p", old=(2, 2, 2), new=(2, 2, 2), tokens=(0, 1))
    assert take.name == "2 x 2 x 2 unchanged"
    assert take(table)[0, :, 0].tolist() == [*range(1, 9)]
    with pytest.raises(ValueError, match="9 positions does not match a grid of 3 x 3"):
        take_resampled_positions("p", old=(3, 3), new=(3, 3), tokens=(0, 1))(table)


def test_patterns_that_match_nothing_are_left_out():
    assert present(["a/.*", "b"], ["a/x", "bb"]) == ["a/.*"]
