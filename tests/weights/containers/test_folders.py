"""Folders of weights: those of Hugging Face, in parts or whole, and those of Orbax."""

import json
from pathlib import Path

import numpy as np
import pytest

from scenic_video.errors import UserError
from scenic_video.weights.containers import orbax, safetensors
from scenic_video.weights.containers.pytorch import zipped
from scenic_video.weights.locations.reading import read

ARRAYS = {"a.weight": np.arange(6, dtype=np.float32), "b.weight": np.ones(3, np.float16)}
CONFIG = {"model_type": "vit", "id2label": {"0": "jump"}}
WRITERS = {"model.safetensors": safetensors.write, "pytorch_model.bin": zipped.write}


def write_parts(folder: Path, name: str) -> dict[str, str]:
    """Each array in a file of its own, and an index; the files by array."""
    owners = {}
    for number, (key, array) in enumerate(ARRAYS.items()):
        owners[key] = f"part{number}"
        WRITERS[name](folder / owners[key], {key: array})
    (folder / f"{name}.index.json").write_text(json.dumps({"weight_map": owners}))
    return owners


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_of_hugging_face_is_its_weights_and_its_config(tmp_path: Path, name):
    WRITERS[name](tmp_path / name, ARRAYS)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    for location in (tmp_path, tmp_path / name):
        file = read(location)
        assert set(file.leaves) == set(ARRAYS)
        assert file.metadata["config"] == CONFIG


@pytest.mark.parametrize("name", WRITERS)
def test_parts_are_joined_by_their_index(tmp_path: Path, name):
    write_parts(tmp_path, name)
    leaves = read(tmp_path).leaves
    for key, array in ARRAYS.items():
        np.testing.assert_array_equal(leaves[key], array, strict=True)


@pytest.mark.parametrize("name", WRITERS)
def test_a_missing_part_is_named(tmp_path: Path, name):
    write_parts(tmp_path, name)
    (tmp_path / "part1").unlink()
    with pytest.raises(UserError, match="part1, one of its 2 parts, is missing"):
        read(tmp_path)


def test_an_array_that_its_part_lacks_is_named(tmp_path: Path):
    owners = write_parts(tmp_path, "model.safetensors") | {"c.weight": "part0"}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": owners}))
    with pytest.raises(UserError, match="'c.weight' is not in part0, where it should be"):
        read(tmp_path)


def test_an_index_names_only_files_beside_it(tmp_path: Path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../secret"}}))
    with pytest.raises(UserError, match="'../secret', which is not a file beside it"):
        read(tmp_path)


def test_one_of_several_files_must_be_named(tmp_path: Path):
    for name in ("one", "two"):
        safetensors.write(tmp_path / name, ARRAYS)
    with pytest.raises(UserError, match=r"2 files of weights \(one, two\); name one of them"):
        read(tmp_path)


def test_the_newest_step_of_orbax_is_read(tmp_path: Path):
    for step in (2, 10):
        orbax.write(tmp_path / f"ckpt_{step}", {"a/kernel": np.full(3, step, np.float32)})
    file = read(tmp_path)
    assert file.leaves["a/kernel"].tolist() == [10, 10, 10]
    assert file.shapes["a/kernel"].shape == (3,)


def test_an_empty_folder_holds_no_weights(tmp_path: Path):
    with pytest.raises(UserError, match="it holds no weights, but nothing"):
        read(tmp_path)
