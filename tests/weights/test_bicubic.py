"""Bicubic resampling of position tables, without another library."""

import numpy as np
import pytest

from scenic_video.weights.bicubic import bicubic_matrix, resample_bicubic


@pytest.mark.parametrize("old, new", [(5, 32), (14, 16)])
def test_a_straight_line_stays_straight_away_from_its_ends(old: int, new: int):
    resampled = resample_bicubic(np.arange(old, dtype=np.float64)[:, None], (new,))[:, 0]
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    inside = (centres > 2) & (centres < old - 3)
    np.testing.assert_allclose(resampled[inside], centres[inside], atol=1e-12)


@pytest.mark.parametrize("old, new", [(14, 16), (14, 7), (16, 11), (5, 32)])
def test_a_constant_stays_the_same(old: int, new: int):
    np.testing.assert_allclose(bicubic_matrix(old, new).sum(axis=1), 1)


def test_enlarging_twofold_uses_keys_weights_at_a_quarter_of_a_cell():
    x, a = 0.25, -0.5
    near = [(a + 2) * d**3 - (a + 3) * d**2 + 1 for d in (x, 1 - x)]
    far = [a * (d**3 - 5 * d**2 + 8 * d - 4) for d in (1 + x, 2 - x)]
    row = bicubic_matrix(8, 16)[7]  # at 3.25 of the old cells
    np.testing.assert_allclose(row, [0, 0, far[0], near[0], near[1], far[1], 0, 0], atol=1e-12)


def test_axes_are_resampled_one_after_the_other():
    grid = np.random.default_rng(0).normal(size=(4, 6, 5, 3)).astype(np.float32)
    expected = np.einsum(
        "ta,hb,wc,abcd->thwd", *map(bicubic_matrix, grid.shape[:3], (8, 3, 5)), np.float64(grid)
    )
    resampled = resample_bicubic(grid, (8, 3, 5))
    assert resampled.dtype == np.float32
    np.testing.assert_allclose(resampled, expected, atol=1e-6)


def test_equal_sizes_change_no_bit():
    grid = np.random.default_rng(0).normal(size=(4, 6, 3)).astype(np.float32)
    np.testing.assert_array_equal(resample_bicubic(grid, (4, 6)), grid)


def test_another_number_of_axes_is_an_error():
    with pytest.raises(ValueError, match="2 axes"):
        resample_bicubic(np.zeros((2, 2, 3)), (4,))
