"""PI-resize against its definition in the FlexiViT paper."""

import numpy as np
import pytest

from scenic_video.weights.bicubic import bicubic_matrix
from scenic_video.weights.patch_resampling import bilinear_matrix, resample_patches

MATRICES = [bilinear_matrix, bicubic_matrix]


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("old, new", [((4, 4), (6, 7)), ((6, 5), (3, 4)), ((2, 3, 3), (2, 5, 4))])
def test_it_is_the_pseudo_inverse_of_the_transposed_resizing(old, new, matrix):
    kernel = np.random.default_rng(0).normal(size=(*old, 3, 2))
    resize = np.eye(1)
    for sizes in zip(old, new, strict=True):
        resize = np.kron(resize, matrix(*sizes))
    expected = np.linalg.pinv(resize.T) @ kernel.reshape(-1, 6)
    resampled = resample_patches(kernel, new, resize_matrix=matrix)
    np.testing.assert_allclose(resampled, expected.reshape(*new, 3, 2), atol=1e-9)


@pytest.mark.parametrize("matrix", MATRICES)
def test_tokens_stay_the_same_when_patches_and_kernel_grow_alike(matrix):
    generator = np.random.default_rng(0)
    kernel, patch = generator.normal(size=(16, 16, 3, 5)), generator.normal(size=(16, 16, 3))
    grow = matrix(16, 24)
    grown = np.einsum("ha,wb,abc->hwc", grow, grow, patch)
    token = np.einsum(
        "hwc,hwcd->d", grown, resample_patches(kernel, (24, 24), resize_matrix=matrix)
    )
    np.testing.assert_allclose(token, np.einsum("hwc,hwcd->d", patch, kernel), atol=1e-9)


def test_the_same_size_changes_no_bit():
    kernel = np.random.default_rng(0).normal(size=(2, 4, 4, 3, 5)).astype(np.float32)
    np.testing.assert_array_equal(resample_patches(kernel, (2, 4, 4)), kernel)


def test_bilinear_resizing_keeps_the_values_at_the_edges():
    np.testing.assert_allclose(bilinear_matrix(2, 4), [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])


def test_another_number_of_axes_is_an_error():
    with pytest.raises(ValueError, match="4x4 pixels"):
        resample_patches(np.zeros((4, 4, 3, 2)), (2, 4, 4))
