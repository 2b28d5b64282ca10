"""Which arrays of a training checkpoint are its weights."""

from pathlib import Path
from typing import Any

import flax.serialization
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.checkpoints import Checkpoints
from scenic_video.errors import UserError
from scenic_video.weights.containers.selection import flax_weights, image_tower, torch_weights
from scenic_video.weights.containers.weight_file import Malformed, StoredArray
from scenic_video.weights.locations.reading import read

ARRAY = np.ones(2, np.float32)
A = StoredArray(ARRAY.shape, ARRAY.dtype, lambda: ARRAY)


@pytest.mark.parametrize(
    ("saved", "names", "words"),
    [
        ({"a.w": A, "b": A}, ["a.w", "b"], ""),
        ({"model": {"a": A}, "optimizer": {"s": [A, A]}}, ["a"], "'model'; arrays not read: opt"),
        ({"student": {"a": A}, "teacher": {"a": A}}, ["a"], "'teacher'; arrays not read: student"),
        ({"state_dict": {"model": {"a": A}}}, ["a"], "'state_dict/model'"),
        ({"module.a": A, "module.b": A}, ["a", "b"], "All names began with 'module.'"),
        ({"encoder": {"a": A}, "predictor": {"a": A}, "opt": {"m": A}},
         ["encoder.a", "predictor.a"], "arrays not read: opt"),
    ],
)  # fmt: skip
def test_the_state_dict_of_a_torch_checkpoint(saved, names, words):
    selection = torch_weights(saved)
    assert list(selection.arrays) == names
    assert words in " ".join(selection.notes)


@pytest.mark.parametrize("saved", [[A], A, {1: {"x": 3}}])
def test_what_is_no_dict_of_tensors_has_no_weights(saved):
    try:
        assert not torch_weights(saved).arrays
    except Malformed as error:
        assert "not a dict of tensors" in str(error)


@pytest.mark.parametrize(
    ("tree", "notes"),
    [
        ({"params": {"a": A}, "opt_state": {"0": A}, "rng": A}, "opt_state (1), rng (1)"),
        ({"optimizer": {"target": {"a": A}, "state": {"m": A}}}, "'optimizer/target'"),
        ({"optimizer": {"target": {"params": {"a": A}}}}, "'optimizer/target'"),
        ({"opt/target/a": A, "opt/state/m": A}, "'opt/target'; arrays not read: opt (1)"),
        ({"a": A}, ""),
    ],
)
def test_the_parameters_of_a_flax_checkpoint(tree, notes):
    selection = flax_weights(tree)
    assert list(selection.arrays) == ["a"]
    assert notes in " ".join(selection.notes)


def test_the_tower_of_images_is_taken_unless_another_is_named():
    arrays, notes = image_tower({"img/a": A, "txt/a": A, "t": A})
    assert list(arrays) == ["a"]
    assert notes == ("The weights were taken from 'img'; arrays not read: txt (1), t (1).",)


def test_names_that_are_equal_when_joined_are_refused():
    with pytest.raises(Malformed, match="'a/b' occurs twice"):
        flax_weights({"a": {"b": A}, "a/b": A})


def test_arrays_in_chunks_and_bfloat16_of_flax_are_read(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(flax.serialization, "MAX_CHUNK_SIZE", 16)
    tree: dict[str, Any] = {"params": {"a": np.arange(15, dtype=np.float32).reshape(3, 5)}}
    tree["params"]["b"] = jnp.arange(3, dtype=jnp.bfloat16)
    (tmp_path / "x").write_bytes(flax.serialization.msgpack_serialize(tree))
    leaves = read(tmp_path / "x").leaves
    assert leaves["a"].tolist() == np.arange(15).reshape(3, 5).tolist()
    assert leaves["b"].dtype == jnp.bfloat16 and leaves["b"].tolist() == [0, 1, 2]


def test_a_run_of_this_package_gives_its_averaged_parameters(tmp_path: Path):
    state = {"params": {"a": jnp.zeros(2)}, "ema_params": {"a": jnp.ones(2)}, "step": jnp.array(3)}
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(3, state, {"config": {"seed": 1}}, block=True)
    for location in (tmp_path, tmp_path / "checkpoints" / "3"):
        file = read(location)
        assert file.leaves["a"].tolist() == [1, 1]
        assert file.metadata["run"]["config"] == {"seed": 1}


def test_a_damaged_run_is_one_sentence(tmp_path: Path):
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(3, {"params": {"a": jnp.zeros(2)}}, {}, block=True)
    for file in (tmp_path / "checkpoints" / "3" / "state").rglob("*"):
        if file.is_file():
            file.write_bytes(b"")
    with pytest.raises(UserError, match="looks like a run of scenic_video, but it is damaged"):
        read(tmp_path)
