"""Models of the library transformers, saved by it, give the same logits here."""

from pathlib import Path

import jax
import numpy as np
import pytest

from scenic_video.config import build
from scenic_video.weights.families.family import installed_families, recognise

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")


def test_vit(tmp_path: Path):
    import json

    from flax.traverse_util import unflatten_dict
    from safetensors.numpy import load_file

    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        image_size=32, patch_size=8, num_labels=5,
    )
    theirs = transformers.ViTForImageClassification(config).eval()
    for p in theirs.parameters():
        torch.nn.init.normal_(p, std=0.2)
    theirs.save_pretrained(tmp_path)
    leaves = load_file(tmp_path / "model.safetensors")
    family = recognise(leaves, installed_families())
    weights = family.read(leaves, {"config": json.loads((tmp_path / "config.json").read_text())})
    assert not weights.unread
    model = build({**weights.model, "num_classes": 5})
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    params = unflatten_dict(dict(weights.params), sep="/")
    ours = jax.jit(model.apply)({"params": params}, rgb=images)
    with torch.no_grad():
        expected = theirs(torch.tensor(images).permute(0, 3, 1, 2)).logits.numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-4, rtol=1e-4)
    written, _ = family.write(weights)
    assert written.keys() == leaves.keys()
    for name, x in leaves.items():
        np.testing.assert_array_equal(written[name], x)
