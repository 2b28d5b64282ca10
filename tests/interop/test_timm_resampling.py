"""Position tables and patch kernels are resampled as timm and PyTorch do."""

import numpy as np
import pytest

from scenic_video.weights.bicubic import bicubic_matrix, resample_bicubic
from scenic_video.weights.patch_resampling import resample_patches

torch = pytest.importorskip("torch")
layers = pytest.importorskip("timm.layers")

SIZES = [((14, 14), (24, 24)), ((14, 14), (7, 9)), ((8, 12), (12, 5))]


@pytest.mark.parametrize("old, new", SIZES)
def test_position_tables(old: tuple[int, int], new: tuple[int, int]):
    grid = np.random.default_rng(0).normal(size=(*old, 6)).astype(np.float32)
    table = torch.tensor(grid).reshape(1, -1, 6)
    theirs = layers.resample_abs_pos_embed(
        table, list(new), list(old), num_prefix_tokens=0, interpolation="bicubic", antialias=True
    )
    ours = resample_bicubic(grid, new)
    np.testing.assert_allclose(ours, theirs.numpy().reshape(*new, 6), atol=1e-5)
    interpolated = torch.nn.functional.interpolate(
        torch.tensor(grid).permute(2, 0, 1)[None], size=new, mode="bicubic", antialias=True
    )
    np.testing.assert_allclose(ours, interpolated[0].permute(1, 2, 0).numpy(), atol=1e-5)


@pytest.mark.parametrize("new", [(24, 24), (12, 12), (32, 20)])
def test_patch_kernels(new: tuple[int, int]):
    kernel = np.random.default_rng(0).normal(size=(16, 16, 3, 4)).astype(np.float32)
    theirs = layers.resample_patch_embed(torch.tensor(kernel).permute(3, 2, 0, 1), list(new))
    ours = resample_patches(kernel, new, resize_matrix=bicubic_matrix)
    np.testing.assert_allclose(ours, theirs.permute(2, 3, 1, 0).numpy(), atol=2e-5)
