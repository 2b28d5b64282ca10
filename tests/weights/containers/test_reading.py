"""Files of weights are recognised by their content and read array for array."""

from pathlib import Path

import flax.serialization
import ml_dtypes
import numpy as np
import pytest

from scenic_video.errors import UserError
from scenic_video.weights.containers import msgpack_writer, npz, orbax, safetensors
from scenic_video.weights.containers.pytorch import zipped
from scenic_video.weights.locations.reading import read
from tests.weights.containers.conftest import ARRAYS, hostile_legacy, hostile_zip


def assert_equal(leaves, arrays) -> None:
    assert set(leaves) == set(arrays)
    for name, array in arrays.items():
        assert leaves[name].dtype == array.dtype
        np.testing.assert_array_equal(leaves[name], array)


def test_every_container_is_recognised_by_its_content(written):
    path, arrays = written
    file = read(path)
    assert {name: (x.shape, x.dtype) for name, x in file.shapes.items()} == {
        name: (x.shape, x.dtype) for name, x in arrays.items()
    }
    assert_equal(file.leaves, arrays)


@pytest.mark.parametrize(
    "wrap", ["params", "optimizer/target", "opt/target", "optimizer/target/params"]
)
def test_weights_lie_below_the_names_of_each_code_base(tmp_path: Path, wrap: str):
    tree = {"kernel": np.ones((2, 3), np.float32)}
    for name in reversed(wrap.split("/")):
        tree = {name: tree}
    tree = {**tree, "global_step": np.asarray(5), "rng": np.zeros(2, np.uint32)}
    (tmp_path / "checkpoint").write_bytes(flax.serialization.to_bytes(tree))
    file = read(tmp_path / "checkpoint")
    assert_equal(file.leaves, {"kernel": np.ones((2, 3), np.float32)})
    assert any("rng" in note or "global_step" in note for note in file.notes)


def test_blocks_from_before_linen_are_renumbered(tmp_path: Path):
    block = "Transformer/encoderblock_0/"
    old = ("LayerNorm_0", "MultiHeadDotProductAttention_1", "LayerNorm_2", "MlpBlock_3")
    new = ("LayerNorm_0", "MultiHeadDotProductAttention_0", "LayerNorm_1", "MlpBlock_0")
    arrays = {f"{block}{name}/x": np.full(2, i, np.float32) for i, name in enumerate(old)}
    with (tmp_path / "w").open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    expected = {f"{block}{name}/x": np.full(2, i, np.float32) for i, name in enumerate(new)}
    assert_equal(read(tmp_path / "w").leaves, expected)


def test_one_tower_of_two_is_named_or_is_that_of_images(tmp_path: Path):
    arrays = {
        f"params/{tower}/kernel": np.full(3, i, np.float32)
        for i, tower in enumerate(("img", "txt"))
    }
    with (tmp_path / "w.npz").open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    assert read(tmp_path / "w.npz").leaves["kernel"][0] == 0
    assert read(f"{tmp_path / 'w.npz'}:txt").leaves["kernel"][0] == 1


def test_what_is_written_is_read_again(tmp_path: Path):
    half = {"a/kernel": np.asarray([1, 2.5], ml_dtypes.bfloat16)}
    arrays = {name: x for name, x in ARRAYS.items() if x.ndim} | half
    for write in (npz.write, msgpack_writer.write, safetensors.write, zipped.write, orbax.write):
        path = tmp_path / write.__module__.rpartition(".")[2]
        write(path, arrays)
        assert_equal(read(path).leaves, arrays)


@pytest.mark.parametrize("write", [hostile_zip, hostile_legacy])
def test_a_pickle_is_never_run(tmp_path: Path, write):
    write(tmp_path / "w.pth", tmp_path / "victim")
    with pytest.raises(UserError, match="open"):
        dict(read(tmp_path / "w.pth").leaves)
    assert not (tmp_path / "victim").exists()


def test_other_files_are_one_sentence(tmp_path: Path):
    for content, words in (
        (b"", "it is empty"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (b"hello, world, hello", "no known format"),
    ):
        (tmp_path / "w").write_bytes(content)
        with pytest.raises(UserError, match=words):
            read(tmp_path / "w")
    with pytest.raises(UserError, match="there is no such file"):
        read(tmp_path / "absent")
