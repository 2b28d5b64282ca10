"""Resampling against the public implementation's choice, scipy.ndimage.zoom(order=1)."""

import numpy as np
import pytest
import scipy.ndimage

from scenic_video.weights.resampling import resample


@pytest.mark.parametrize(
    ("old", "new"),
    [((16,), (32,)), ((14, 14), (16, 16)), ((14, 14), (9, 20)), ((2, 3, 4), (4, 2, 7))],
)
def test_resampling_equals_that_of_scipy(old, new):
    grid = np.random.default_rng(0).normal(size=(*old, 5))
    factors = [b / a for a, b in zip(old, new, strict=True)] + [1]
    expected = scipy.ndimage.zoom(grid, factors, order=1)
    np.testing.assert_allclose(resample(grid, new), np.asarray(expected), atol=1e-12)


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
