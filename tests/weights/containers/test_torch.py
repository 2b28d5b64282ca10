"""Files of PyTorch are read without it, and nothing that they name is run."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from scenic_video.errors import UserError
from scenic_video.weights.containers.pytorch import zipped
from scenic_video.weights.locations.reading import read
from tests.helpers.golden import GOLDEN
from tests.weights.containers.conftest import TORCH_ARRAYS, Hostile


@pytest.mark.parametrize("name", ["torch_zip", "torch_before_1_6"])
def test_both_layouts_give_the_arrays_that_were_saved(name):
    file = read(GOLDEN / f"{name}.pth")
    assert list(file.leaves) == list(TORCH_ARRAYS)
    for key, array in TORCH_ARRAYS.items():
        assert file.leaves[key].dtype == array.dtype == file.shapes[key].dtype
        np.testing.assert_array_equal(file.leaves[key], array)


@pytest.mark.parametrize("name", ["torch_zip", "torch_before_1_6"])
def test_what_was_taken_and_left_out_is_stated(name):
    file = read(GOLDEN / f"{name}.pth")
    assert file.notes == ("The weights were taken from 'model'; arrays not read: optimizer (1).",)
    assert file.metadata["beside"] == {"epoch": 3}


class Shell:
    def __reduce__(self):
        import os

        return os.system, ("true",)


def saved(path: Path, value: object, protocol: int = 2) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_pickle_that_calls_a_function_is_refused_and_not_run(tmp_path, protocol):
    trap = tmp_path / "trap"
    path = saved(tmp_path / "x.pth", {"model": {"a": Hostile(trap)}}, protocol)
    with pytest.raises(UserError, match="x.pth looks like a zip file of PyTorch, but it"):
        read(path)
    assert not trap.exists()


def test_what_would_be_called_is_named(tmp_path):
    with pytest.raises(UserError, match=r"names (posix|nt)\.system, which is neither a tensor"):
        read(saved(tmp_path / "x.pth", {"args": Shell()}))


def test_nested_tuples_of_shared_parts_are_not_walked_forever(tmp_path, monkeypatch):
    most = "scenic_video.weights.containers.pytorch.tensors.MOST_NODES"
    monkeypatch.setattr(most, 10_000)
    value: object = ("x",)
    for _ in range(60):
        value = (value, value)
    with pytest.raises(UserError, match="nested deeper or wider"):
        read(saved(tmp_path / "x.pth", {"a": value}))


@pytest.mark.parametrize("wrapper", [None, "model"])
def test_written_state_dicts_are_read_back(tmp_path, wrapper):
    zipped.write(tmp_path / "x.pth", TORCH_ARRAYS, wrapper=wrapper)
    leaves = read(tmp_path / "x.pth").leaves
    assert list(leaves) == list(TORCH_ARRAYS)
    for key, array in TORCH_ARRAYS.items():
        np.testing.assert_array_equal(leaves[key], array)


def test_pytorch_opens_what_was_written(tmp_path):
    torch = pytest.importorskip("torch")
    zipped.write(tmp_path / "x.pth", TORCH_ARRAYS, wrapper="model")
    found = torch.load(tmp_path / "x.pth", weights_only=True)["model"]
    for key, array in TORCH_ARRAYS.items():
        assert tuple(found[key].shape) == array.shape
        np.testing.assert_array_equal(found[key].double().numpy(), array.astype(np.float64))
