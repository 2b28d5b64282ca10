"""Masks and targets of masked autoencoders."""

import json
import zlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.layers.masking import (
    place_tokens,
    reconstruction_target,
    sample_mask,
    take_tokens,
)

GOLDEN = Path(__file__).parents[1] / "golden"
GRID = (4, 3, 5)


def draw(**options):
    return sample_mask(jax.random.key(0), batch_size=6, grid=GRID, **options)


@pytest.mark.parametrize(("strategy", "hidden"), [("random", 42), ("tube", 40)])
def test_hidden_and_visible_tokens_are_all_tokens(strategy, hidden):
    mask = draw(rate=0.7, strategy=strategy)
    assert mask.hidden.shape == (6, hidden)
    both = np.sort(np.concatenate(mask, axis=1), axis=1)
    np.testing.assert_array_equal(both, np.tile(np.arange(60), (6, 1)))


@pytest.mark.parametrize("strategy", ["random", "tube"])
def test_every_example_hides_other_tokens(strategy):
    hidden = np.sort(draw(rate=0.7, strategy=strategy).hidden, axis=1)
    assert len(np.unique(hidden, axis=0)) == 6


def test_tubes_hide_the_same_places_in_every_frame():
    hidden = np.asarray(draw(rate=0.7, strategy="tube").hidden).reshape(6, 4, 10)
    np.testing.assert_array_equal(hidden, hidden[:, :1] + 15 * np.arange(4)[:, None])


def test_random_masks_hide_every_token_as_often():
    mask = sample_mask(jax.random.key(0), batch_size=4000, grid=(10,), rate=0.3)
    shares = np.bincount(np.asarray(mask.hidden).ravel(), minlength=10) / 4000
    np.testing.assert_allclose(shares, 0.3, atol=0.03)


def test_tokens_that_are_taken_and_put_back_are_where_they_were():
    tokens = jax.random.normal(jax.random.key(1), (6, 60, 2))
    mask = draw(rate=0.7)
    background = jnp.full_like(tokens, 7.0)
    filled = place_tokens(background, take_tokens(tokens, mask.visible), mask.visible)
    np.testing.assert_array_equal(
        take_tokens(filled, mask.visible), take_tokens(tokens, mask.visible)
    )
    assert (take_tokens(filled, mask.hidden) == 7).all()


def test_impossible_masks_are_refused():
    with pytest.raises(ValueError, match="rate is 1.0; wanted .* below 1"):
        draw(rate=1.0)
    with pytest.raises(ValueError, match="strategy is 'block'"):
        draw(rate=0.5, strategy="block")
    with pytest.raises(ValueError, match="time, rows and columns"):
        sample_mask(jax.random.key(0), batch_size=1, grid=(8,), rate=0.5, strategy="tube")


@pytest.mark.parametrize(
    ("kind", "standardize"),
    [("raw", "none"), ("std_patch", "patch"), ("std_patch_channels", "patch_channels")],
)
@pytest.mark.parametrize("name", ["mae_image_token", "mae_video_tube_sincos1d_none"])
def test_targets_equal_the_public_implementations(name, kind, standardize):
    shape = tuple(json.loads((GOLDEN / f"{name}.json").read_text())["inputs"]["input"])
    rng = np.random.default_rng(zlib.crc32(repr(shape).encode()))
    pixels = jnp.asarray(rng.uniform(-1, 1, shape).astype(np.float32))
    patch = (8, 8) if len(shape) == 4 else (2, 8, 8)
    expected = np.load(GOLDEN / f"{name}.npz")[f"target_{kind}"]
    target = reconstruction_target(pixels, patch, standardize=standardize)
    np.testing.assert_allclose(target[..., : expected.shape[-1]], expected, atol=1e-4)


def test_the_central_frame_in_grey_is_one_frame_of_one_luma():
    video = jax.random.uniform(jax.random.key(0), (1, 8, 4, 4, 3))
    target = reconstruction_target(video, (4, 4, 4), central_frame=True, grayscale=True)
    assert target.shape == (1, 2, 48)
    luma = video[0, 2] @ jnp.asarray([0.2989, 0.587, 0.114])
    np.testing.assert_allclose(target[0, 0].reshape(4, 4, 3)[..., 1], luma, rtol=1e-5)


def test_impossible_targets_are_refused():
    image = jnp.zeros((1, 8, 8, 3))
    with pytest.raises(ValueError, match="Only tubelets have a central frame"):
        reconstruction_target(image, (4, 4), central_frame=True)
    with pytest.raises(ValueError, match="grayscale needs 3"):
        reconstruction_target(image[..., :1], (4, 4), grayscale=True)
    fields: Any = {"standardize": "image"}
    with pytest.raises(ValueError, match="standardize is 'image'"):
        reconstruction_target(image, (4, 4), **fields)
