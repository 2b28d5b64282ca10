"""Tests of augmentation and normalisation on the device."""

import colorsys
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from scenic_video.config import ConfigError
from scenic_video.modalities.rgb import Rgb
from scenic_video.transforms.color_jitter import (
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    color_jitter,
)
from scenic_video.transforms.randaugment import randaugment
from tests.helpers.transforms import RgbTransform

RNG = jax.random.key(7)
RANDAUGMENT = RgbTransform(
    augmentations=(functools.partial(randaugment, num_layers=2, magnitude=15),)
)
COLOR = RgbTransform(
    augmentations=(functools.partial(color_jitter, probability=0.8, drop_probability=0.1),)
)


def some_clips(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@functools.partial(jax.jit, static_argnames=("transform", "train"))
def compiled(clips, rng, *, transform, train):
    return transform({"rgb": clips}, rng=rng, train=train)["rgb"]


def apply(transform, clips, *, rng=RNG, train=True):
    return np.asarray(compiled(clips, rng, transform=transform, train=train))


def to_bytes(normalised):
    """Undoes mean = std = 0.5."""
    return np.rint((normalised * 0.5 + 0.5) * 255).astype(np.uint8)


def test_pixels_are_normalised_per_channel():
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    clips = some_clips(2, 3, 8, 8, 3)
    for train in (True, False):
        out = apply(RgbTransform(mean=mean, std=std), clips, train=train)
        assert out.dtype == np.float32
        np.testing.assert_allclose(out, (clips / 255 - mean) / std, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("transform", [RANDAUGMENT, COLOR])
def test_evaluation_is_not_augmented(transform):
    clips = some_clips(4, 2, 8, 8, 3)
    np.testing.assert_array_equal(to_bytes(apply(transform, clips, train=False)), clips)


@pytest.mark.parametrize("transform", [RANDAUGMENT, COLOR])
def test_augmentation_of_an_example_does_not_depend_on_the_batch(transform):
    clips = some_clips(16, 2, 16, 16, 3)
    whole = apply(transform, clips)
    np.testing.assert_allclose(apply(transform, clips[:2]), whole[:2], atol=1e-5)
    others = np.concatenate([clips[:2], some_clips(14, 2, 16, 16, 3, seed=1)])
    np.testing.assert_allclose(apply(transform, others)[:2], whole[:2], atol=1e-5)


@pytest.mark.parametrize("transform", [RANDAUGMENT, COLOR])
def test_the_same_key_gives_the_same_result_and_another_key_another(transform):
    clips = some_clips(16, 2, 16, 16, 3)
    np.testing.assert_array_equal(apply(transform, clips), apply(transform, clips))
    assert (apply(transform, clips) != apply(transform, clips, rng=jax.random.key(8))).any()


@pytest.mark.parametrize("transform", [RANDAUGMENT, COLOR])
def test_examples_of_a_batch_are_augmented_differently(transform):
    clips = np.repeat(some_clips(1, 2, 16, 16, 3), 16, axis=0)
    assert len({clip.tobytes() for clip in apply(transform, clips)}) > 8


def test_every_frame_of_a_clip_is_changed_in_the_same_way():
    still = np.repeat(some_clips(16, 1, 16, 16, 3), 2, axis=1)
    jittered = apply(COLOR, still)
    np.testing.assert_allclose(jittered[:, 1], jittered[:, 0], atol=1e-5)
    # Sharpness smooths the stack of frames, so it differs at their upper and lower edges.
    inner = apply(RANDAUGMENT, still)[:, :, 2:-2]
    np.testing.assert_array_equal(inner[:, 1], inner[:, 0])


@pytest.mark.parametrize("transform", [RANDAUGMENT, COLOR])
def test_an_image_is_augmented_like_a_clip_of_one_frame(transform):
    images = some_clips(4, 16, 16, 3)
    as_clips = apply(transform, images[:, None])
    np.testing.assert_allclose(apply(transform, images), as_clips[:, 0], atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 1), (2, 2)])
@pytest.mark.parametrize("transform", [RANDAUGMENT, COLOR])
def test_batch_on_many_devices_is_augmented_as_on_one(transform, shape):
    clips = some_clips(16, 2, 16, 16, 3)
    mesh = jax.make_mesh(
        (*shape, 8 // np.prod(shape), 1),
        ("data", "fsdp", "seq", "tensor"),
        axis_types=(AxisType.Auto,) * 4,
    )
    over_batch = NamedSharding(mesh, PartitionSpec(("data", "fsdp")))
    step = jax.jit(lambda x: transform({"rgb": x}, rng=RNG, train=True)["rgb"])
    with jax.set_mesh(mesh):
        spread = jax.device_put(clips, over_batch)
        out = step(spread)
        program = str(step.lower(spread).compile().as_text())
    assert out.sharding.is_equivalent_to(over_batch, out.ndim)
    assert "all-gather" not in program and "all-reduce" not in program
    np.testing.assert_allclose(out, apply(transform, clips), atol=1e-5)


def test_colors_are_jittered_and_dropped_with_the_given_probabilities():
    clips = np.repeat(some_clips(1, 1, 8, 8, 3), 2000, axis=0)
    out = to_bytes(apply(COLOR, clips))
    unchanged = (out == clips).all(axis=(1, 2, 3, 4))
    gray = (out == out[..., :1]).all(axis=(1, 2, 3, 4))
    assert abs(gray.mean() - 0.1) < 0.03
    assert abs(unchanged.mean() - 0.2 * 0.9) < 0.03


def test_color_jitter_stays_in_the_range_of_pixels():
    always = functools.partial(color_jitter, probability=1, drop_probability=0)
    out = apply(RgbTransform(augmentations=(always,)), some_clips(32, 1, 8, 8, 3))
    assert out.min() >= -1 and out.max() <= 1


@pytest.mark.parametrize("turn", [-0.2, 0.0, 0.07, 0.5])
def test_hue_is_rotated_as_in_colorsys(turn):
    pixels = np.float32(some_clips(1, 8, 8, 3)) / 255
    wanted = [
        colorsys.hsv_to_rgb((h + turn) % 1, s, v)
        for h, s, v in (colorsys.rgb_to_hsv(*map(float, p)) for p in pixels.reshape(-1, 3))
    ]
    turned = adjust_hue(jnp.asarray(pixels), jnp.float32(turn))
    np.testing.assert_allclose(np.asarray(turned).reshape(-1, 3), wanted, atol=2e-6)


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.4])
def test_saturation_is_scaled_as_in_colorsys(factor):
    pixels = np.float32(some_clips(1, 8, 8, 3)) / 255
    wanted = [
        colorsys.hsv_to_rgb(h, min(s * factor, 1), v)
        for h, s, v in (colorsys.rgb_to_hsv(*map(float, p)) for p in pixels.reshape(-1, 3))
    ]
    scaled = adjust_saturation(jnp.asarray(pixels), jnp.float32(factor))
    np.testing.assert_allclose(np.asarray(scaled).reshape(-1, 3), wanted, atol=2e-6)


def test_contrast_is_scaled_around_the_mean_of_the_clip():
    pixels = jnp.asarray(some_clips(2, 4, 4, 3) / 255, jnp.float32)
    scaled = np.asarray(adjust_contrast(pixels, jnp.float32(0.6)))
    np.testing.assert_allclose(scaled.mean((0, 1, 2)), pixels.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(scaled.std((0, 1, 2)), 0.6 * pixels.std((0, 1, 2)), atol=1e-6)


def test_gray_pixels_stay_gray_for_any_hue():
    gray = jnp.full((1, 2, 2, 3), 0.3, jnp.float32)
    for change in (adjust_hue, adjust_saturation):
        np.testing.assert_allclose(change(gray, jnp.float32(0.15)), gray, atol=1e-6)


def test_mean_needs_a_number_per_channel():
    with pytest.raises(ConfigError, match=r"Rgb.mean is \(0.5,\); wanted a sequence of length 3"):
        Rgb(mean=(0.5,))
    with pytest.raises(ConfigError, match="Rgb.std is .* above 0"):
        Rgb(std=(1, 1, 0))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"rgb": np.zeros((2, 8, 8, 3), np.float32)}, "uint8"),
        ({"rgb": np.zeros((2, 1, 1, 8, 8, 3), np.uint8)}, "uint8"),
        ({"rgb": np.zeros((2, 8, 8, 1), np.uint8)}, "uint8"),
    ],
)
def test_other_inputs_are_refused(inputs, message):
    with pytest.raises(ValueError, match=message):
        COLOR(inputs, rng=RNG, train=True)
