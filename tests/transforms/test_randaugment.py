"""Tests of RandAugment against recorded outputs of the public implementation."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.transforms import randaugment as ra

GOLDEN = np.load(pathlib.Path(__file__).parents[1] / "golden" / "randaugment_ops.npz")
NAMES = {
    "AutoContrast": ra.auto_contrast,
    "Equalize": ra.equalize,
    "Invert": ra.invert,
    "Posterize": ra.posterize,
    "Solarize": ra.solarize,
    "SolarizeAdd": ra.solarize_add,
    "Color": ra.color,
    "Contrast": ra.contrast,
    "Brightness": ra.brightness,
    "Sharpness": ra.sharpness,
}
RNG = jax.random.key(0)


def random_clip(*, frames=3, size=96, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (frames, size, size, 3), dtype=np.uint8)
    return jnp.asarray(values)


@pytest.mark.parametrize("magnitude", [10, 15, 20])
@pytest.mark.parametrize("name", NAMES)
def test_operation_equals_the_recorded_output(name, magnitude):
    operation = jax.jit(NAMES[name], static_argnums=1)
    clip = operation(jnp.asarray(GOLDEN["clip"]), magnitude, RNG)
    np.testing.assert_array_equal(clip, GOLDEN[f"{name}_{magnitude}"])


def test_every_recorded_operation_is_checked():
    recorded = {name.split("_")[0] for name in GOLDEN.files if name != "clip"}
    assert recorded == set(NAMES)
    assert set(ra.OPERATIONS) == {*NAMES.values(), ra.identity, ra.cutout}
    assert len(ra.OPERATIONS) == 12


@pytest.mark.parametrize("operation", [ra.auto_contrast, ra.equalize])
def test_constant_channel_is_unchanged(operation):
    clip = random_clip(size=8).at[..., 1].set(77)
    np.testing.assert_array_equal(operation(clip, 10, RNG)[..., 1], 77)


def test_cutout_sets_one_square_of_80_pixels_to_0_in_all_frames():
    clip = jnp.full((3, 400, 400, 3), 200, jnp.uint8)
    for seed in range(20):
        hole = np.asarray(ra.cutout(clip, 15, jax.random.key(seed)) == 0)
        np.testing.assert_array_equal(hole, np.broadcast_to(hole[:1, ..., :1], hole.shape))
        rows, columns = np.flatnonzero(hole[0, :, :, 0].any(1)), np.flatnonzero(hole[0].any((0, 2)))
        assert hole[0, :, :, 0].sum() == len(rows) * len(columns)
        assert 40 <= len(rows) <= 80 and 40 <= len(columns) <= 80


def test_cutout_is_elsewhere_for_another_key():
    clip = random_clip(frames=1, size=300)
    cut = {np.asarray(ra.cutout(clip, 15, jax.random.key(s))).tobytes() for s in range(10)}
    assert len(cut) == 10


def test_a_layer_is_one_of_the_twelve_operations():
    clip = random_clip(size=24)
    augment = jax.jit(functools.partial(ra.apply_operations, num_layers=1, magnitude=15))
    possible = {np.asarray(op(clip, 15, RNG)).tobytes() for op in NAMES.values()}
    possible |= {np.asarray(clip).tobytes(), np.zeros_like(clip).tobytes()}
    found = {np.asarray(augment(clip, jax.random.key(seed))).tobytes() for seed in range(150)}
    # Cutout's square is wider than this clip, so it may leave any border, or nothing at all.
    assert found >= possible - {np.zeros_like(clip).tobytes()}


def test_layers_are_sampled_independently():
    clip = random_clip(size=24)
    one = jax.jit(functools.partial(ra.apply_operations, num_layers=1, magnitude=15))
    two = jax.jit(functools.partial(ra.apply_operations, num_layers=2, magnitude=15))
    changed = sum(
        not np.array_equal(one(clip, jax.random.key(s)), two(clip, jax.random.key(s)))
        for s in range(24)
    )
    assert changed > 12
