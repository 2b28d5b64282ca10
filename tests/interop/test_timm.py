"""Models of the library timm, saved by PyTorch, give the same logits here, and back."""

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


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "deit_tiny_patch16_224"])
def test_a_vit_gives_the_same_logits(name: str, legacy: bool, tmp_path: Path):
    theirs = randomize(timm.create_model(name, **TINY))
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


@pytest.mark.parametrize(
    "name, words",
    [
        ("vit_small_patch14_dinov2", "LayerScale"),
        ("vit_small_patch16_dinov3", "rotary positions"),
        ("beit_base_patch16_224", "relative or rotary positions"),
        ("eva02_tiny_patch14_224", "rotary positions"),
        ("vit_pe_core_tiny_patch16_384", "a LayerNorm before its encoder"),
    ],
)
def test_families_with_parts_that_no_model_here_has_are_refused(name, words, tmp_path: Path):
    torch.save(timm.create_model(name, pretrained=False, depth=1).state_dict(), tmp_path / "w")
    with pytest.raises(UserError, match=words):
        read_weights(tmp_path / "w")
