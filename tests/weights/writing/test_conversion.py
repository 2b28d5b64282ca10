"""What is written is the same model when it is read, or is refused."""

import dataclasses
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from projects.avmae.finetuning.model import PretrainedViT
from projects.vivit.model import FactorisedDotProduct, ViT
from scenic_video.errors import UserError
from scenic_video.weights.families.family import Weights
from scenic_video.weights.reading import read_weights
from scenic_video.weights.writing.conversion import read_whole, write
from tests.helpers.drawn import leaves, parameters

SIZES: dict[str, Any] = {"hidden_size": 192, "mlp_dim": 8, "num_layers": 1, "num_heads": 3}
POOLED = {"classifier": "gap", "normalize": "pooled", "exact_gelu": True}


def weights_of(kind: Any, frames: int = 2, **fields: Any) -> Weights:
    """Random weights of a model for inputs of 16 x 16 pixels."""
    fields = {**SIZES, **fields}
    rgb = np.zeros((1, frames, 16, 16, 3), np.float32)
    return Weights(
        family="a test",
        params=leaves(parameters(kind(num_classes=2, **fields), rgb=rgb)),
        model={"target": f"{kind.__module__}:{kind.__name__}", **fields},
        inputs={"rgb": (frames, 16, 16)},
    )


def equal(found: Any, expected: Any) -> bool:
    return found.keys() == expected.keys() and all(
        x.dtype == expected[path].dtype and x.tobytes() == np.asarray(expected[path]).tobytes()
        for path, x in found.items()
    )


def test_video_mae_keeps_all_that_changes_its_outputs(tmp_path):
    weights = weights_of(PretrainedViT, patch_size=(2, 8, 8), **POOLED)
    for format in ("videomae-pth", "hf-safetensors"):
        written = write(weights, tmp_path / format, format)
        assert any("1 biases such as" in note and "key/bias" in note for note in written.notes)
        found = read_weights(tmp_path / format).params
        keys = [path for path in found if path.endswith("key/bias")]
        assert not any(np.any(found[path]) for path in keys)
        rest = {path: x for path, x in weights.params.items() if path not in keys}
        assert equal({path: x for path, x in found.items() if path not in keys}, rest)


def test_another_model_of_the_same_names_is_refused(tmp_path):
    weights = weights_of(FactorisedDotProduct, tubelet_size=(2, 8, 8), num_heads=4)
    with pytest.raises(UserError, match="cannot hold this FactorisedDotProduct: .*classifier"):
        write(weights, tmp_path / "hf", "hf-safetensors")
    assert not [*tmp_path.iterdir()]


def test_what_a_file_cannot_state_is_said(tmp_path):
    weights = weights_of(ViT, 1, patch_size=(8, 8), exact_gelu=True)
    written = write(weights, tmp_path / "vit.npz", "npz")
    assert "The file does not state exact_gelu=True of the model; who reads it must know." in (
        written.notes
    )


def test_bfloat16_and_a_pooled_model_keep_every_bit(tmp_path):
    weights = weights_of(ViT, 1, patch_size=(8, 8), classifier="map")
    params = {path: x.astype(ml_dtypes.bfloat16) for path, x in weights.params.items()}
    weights = dataclasses.replace(weights, params=params)
    write(weights, tmp_path / "vit.npz", "npz")
    assert "params/pos_embedding" in np.load(tmp_path / "vit.npz").files
    write(read_whole(tmp_path / "vit.npz"), tmp_path / "scenic", "scenic")
    assert equal(read_weights(tmp_path / "scenic").params, params)


def test_arrays_that_would_be_lost_are_an_error(tmp_path):
    weights = weights_of(ViT, 1, patch_size=(8, 8))
    write(weights, tmp_path / "vit.npz", "npz")
    arrays = {**np.load(tmp_path / "vit.npz"), "more/kernel": np.zeros(2, np.float32)}
    np.savez(tmp_path / "more.npz", allow_pickle=False, **arrays)
    with pytest.raises(UserError, match=r"has 1 arrays that .* does not cover \(more/kernel\)"):
        read_whole(tmp_path / "more.npz")
