"""Models of the library timm, saved by PyTorch, give the same logits here, and back."""

import json
from pathlib import Path

import numpy as np
import pytest

from scenic_video.errors import UserError
from scenic_video.weights.families.family import installed_families, recognise
from scenic_video.weights.locations.reading import read
from scenic_video.weights.reading import read_weights
from tests.interop.conftest import randomize, run

timm = pytest.importorskip("timm")
torch = pytest.importorskip("torch")

TINY = {"img_size": 32, "patch_size": 8, "embed_dim": 192, "depth": 2, "num_classes": 5}


NAMES = (
    "vit_tiny_patch16_224",
    "deit_tiny_patch16_224",
    "vit_base_patch16_siglip_224",
    "vit_base_patch16_siglip_gap_224",
)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_vit_gives_the_same_logits(name: str, legacy: bool, tmp_path: Path):
    theirs = randomize(timm.create_model(name, **TINY, num_heads=3))
    saved = {"model": theirs.state_dict(), "epoch": 3}
    torch.save(saved, tmp_path / "w", _use_new_zipfile_serialization=not legacy)
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.tensor(images).permute(0, 3, 1, 2)).numpy()
    weights = read_weights(tmp_path / "w")
    assert not weights.rest
    np.testing.assert_allclose(
        run(weights, {"rgb": images}, num_classes=5), expected, atol=1e-4, rtol=1e-4
    )
    written, _ = recognise(read(tmp_path / "w").shapes, installed_families()).write(weights)
    for name, array in theirs.state_dict().items():
        np.testing.assert_array_equal(written.pop(name), array.numpy())
    assert not written


def test_a_config_of_timm_states_gelu_pixels_and_labels(tmp_path: Path):
    safetensors = pytest.importorskip("safetensors.torch")
    name = "vit_base_patch32_siglip_256"
    theirs = randomize(timm.create_model(name, **TINY, num_heads=3))
    safetensors.save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    pixels = {"mean": [0.5] * 3, "std": [0.25] * 3, "input_size": [3, 32, 32], "crop_pct": 0.8}
    labels = [f"class {i}" for i in range(5)]
    config = {"architecture": name, "pretrained_cfg": pixels, "label_names": labels}
    (tmp_path / "config.json").write_text(json.dumps(config))
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.tensor(images).permute(0, 3, 1, 2)).numpy()
    weights = read_weights(tmp_path)
    ours = run(weights, {"rgb": images}, num_classes=5)
    np.testing.assert_allclose(ours, expected, atol=1e-4, rtol=1e-4)
    assert weights.labels == {"label": tuple(labels)}
    assert weights.preprocessing == {
        "num_frames": 1, "crop": 32, "resize": 40,
        "rgb": {"mean": (0.5,) * 3, "std": (0.25,) * 3},
    }  # fmt: skip


def test_a_mean_beside_a_class_token_is_refused_where_the_config_states_it(tmp_path: Path):
    safetensors = pytest.importorskip("safetensors.torch")
    name = "vit_tiny_patch16_224"
    theirs = timm.create_model(name, **TINY, num_heads=3, global_pool="avg", fc_norm=False)
    safetensors.save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    config = {"architecture": name, "global_pool": "avg", "pretrained_cfg": {}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="global_pool='avg'"):
        read_weights(tmp_path)


def test_dino_gives_the_same_features(tmp_path: Path):
    """DINO v1 is a ViT without a head."""
    theirs = randomize(timm.create_model("vit_tiny_patch16_224", **TINY | {"num_classes": 0}))
    torch.save(theirs.state_dict(), tmp_path / "w")
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.tensor(images).permute(0, 3, 1, 2)).numpy()
    ours = run(read_weights(tmp_path / "w"), {"rgb": images})
    np.testing.assert_allclose(ours, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "name, words",
    [
        ("vit_small_patch14_dinov2", "LayerScale"),
        ("vit_small_patch16_dinov3", "rotary positions"),
        ("beit_base_patch16_224", "relative or rotary positions"),
        ("eva02_tiny_patch14_224", "rotary positions"),
        ("vit_pe_core_tiny_patch16_384", "a LayerNorm before its encoder"),
        ("vit_base_patch16_clip_224", "a LayerNorm before its encoder"),
    ],
)
def test_families_with_parts_that_no_model_here_has_are_refused(name, words, tmp_path: Path):
    torch.save(timm.create_model(name, pretrained=False, depth=1).state_dict(), tmp_path / "w")
    with pytest.raises(UserError, match=words):
        read_weights(tmp_path / "w")
