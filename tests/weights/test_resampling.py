"""Resampling against linear interpolation along one axis after the other."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.weights.resampling import resample


@pytest.mark.parametrize(
    ("old", "new"),
    [((16,), (32,)), ((14, 14), (16, 16)), ((14, 14), (9, 20)), ((2, 3, 4), (4, 2, 7))],
)
def test_resampling_is_linear_between_the_end_points_of_every_axis(old, new):
    expected = grid = np.random.default_rng(0).normal(size=(*old, 5))
    for axis, size in enumerate(new):
        places = np.linspace(0, old[axis] - 1, size)
        along = functools.partial(np.interp, places, np.arange(old[axis]))
        expected = np.apply_along_axis(along, axis, expected)
    np.testing.assert_allclose(resample(grid, new), expected, atol=1e-12)


def test_half_precision_stays_half_precision():
    grid = np.asarray(jnp.arange(4, dtype=jnp.bfloat16)[:, None])
    assert resample(grid, (7,)).dtype == jnp.bfloat16
    assert resample(grid, (7,))[:, 0].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3]


def test_end_points_stay_and_equal_sizes_change_nothing():
    grid = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    longer = resample(grid, (9,))
    np.testing.assert_array_equal(longer[[0, -1]], grid[[0, -1]])
    assert longer.dtype == np.float32
    assert resample(grid, (5,)) is grid


def test_a_single_place_is_repeated():
    assert resample(np.array([[2.0, 3.0]]), (4,)).tolist() == [[2.0, 3.0]] * 4


def test_another_number_of_axes_is_an_error():
    with pytest.raises(ValueError, match="2 axes"):
        resample(np.zeros((2, 2, 3)), (4,))
