"""`scenic-video weights inspect`."""

import json

import numpy as np
import pytest

from scenic_video.weights.containers import npz, safetensors


@pytest.fixture
def unknown(tmp_path):
    npz.write(tmp_path / "other.npz", {"stem/kernel": np.zeros((3, 5), np.float16)})
    return tmp_path / "other.npz"


def test_a_checkpoint_is_described(weights, augreg):
    code, out, _ = weights("inspect", augreg)
    assert code == 0
    for name, value in (
        ("container", "an npz file of NumPy"),
        ("family", "ViT of vision_transformer or big_vision"),
        ("model.patch_size", "4 x 4"),
        ("inputs", "rgb 1 x 16 x 16"),
        ("num_classes", "3"),
        ("bytes", "7,116 in float32"),
    ):
        assert any(line.split() == [name, *value.split()] for line in out.splitlines()), name
    layers = [line.split() for line in out.splitlines() if "block_*/LayerNorm_0/bias" in line]
    assert layers == [["Transformer/encoderblock_*/LayerNorm_0/bias", "[8]", "float32", "2"]]


def test_json_has_every_array(weights, augreg, params):
    code, out, _ = weights("inspect", augreg, "--json")
    found = json.loads(out)
    assert code == 0 and found["refusal"] is None and found["unread"] == []
    assert len(found["arrays"]) == len(params)
    assert found["arrays"]["head/kernel"] == {"shape": [8, 3], "dtype": "float32"}
    assert found["parameters"] == sum(x.size for x in params.values())


def test_an_unknown_family_is_shown_with_the_reason(weights, unknown):
    code, out, _ = weights("inspect", unknown)
    assert code == 2
    assert "stem/kernel" in out and "No known family of models has these 1 arrays" in out
    code, out, _ = weights("inspect", unknown, "--json")
    assert code == 2 and json.loads(out)["family"] is None


def test_values_of_a_mapped_file_are_not_read(tmp_path, weights, monkeypatch):
    path = tmp_path / "model.safetensors"
    safetensors.write(path, {"stem/kernel": np.zeros((64, 64), np.float32)})
    monkeypatch.setattr(
        "scenic_video.weights.containers.mapped_file.typed",
        lambda raw, dtype: pytest.fail("an array was read"),
    )
    assert weights("inspect", path)[0] == 2


def test_a_file_that_holds_no_weights_is_one_error(weights, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    code, out, error = weights("inspect", tmp_path / "notes.txt")
    assert code == 2 and out == ""
    assert "notes.txt cannot be read as weights" in error


def test_a_run_states_its_model_and_classes(weights, averaged):
    code, out, _ = weights("inspect", averaged, "--json")
    found = json.loads(out)
    assert code == 0 and found["family"] == "a run of scenic_video"
    assert found["model"]["target"] == "projects.vivit.model:SpatioTemporalAttention"
    assert found["num_classes"] == len(found["classes"]["action"]) == 10
    assert found["inputs"] == {"rgb": [4, 16, 16]}
