"""VideoMAE, MAE and TimeSformer, saved by other libraries, give the same outputs here, and back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenic_video.weights.families.family import installed_families, recognise
from scenic_video.weights.locations.reading import read
from scenic_video.weights.reading import read_weights
from tests.interop.conftest import randomize, run

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

IMAGES: dict[str, Any] = {
    "hidden_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
CLIPS = {**IMAGES, "num_frames": 4, "tubelet_size": 2}


def clips() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 4, 32, 32, 3)).astype(np.float32)


def outputs(model: Any, inputs: np.ndarray, **fields: Any) -> Any:
    """Of images [b, h, w, c] or clips [b, t, h, w, c]."""
    with torch.no_grad():
        return model(torch.tensor(np.moveaxis(inputs, -1, -3)), **fields)


def own_names(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The arrays of a block of VideoMAE in Hugging Face's names, by those of its own files."""
    attention = "attention.attention."
    query, key, value = (state[f"{prefix}{attention}{x}.weight"] for x in ("query", "key", "value"))
    names = {
        "norm1": "layernorm_before",
        "attn.proj": "attention.output.dense",
        "norm2": "layernorm_after",
        "mlp.fc1": "intermediate.dense",
        "mlp.fc2": "output.dense",
    }
    return {
        "attn.qkv.weight": torch.cat([query, key, value]),
        "attn.q_bias": state[f"{prefix}{attention}query.bias"],
        "attn.v_bias": state[f"{prefix}{attention}value.bias"],
        **{
            f"{own}.{leaf}": state[f"{prefix}{name}.{leaf}"]
            for own, name in names.items()
            for leaf in ("weight", "bias")
        },
    }


@pytest.mark.parametrize("pooled", [True, False])
def test_fine_tuned_video_mae(check, pooled: bool):
    config = transformers.VideoMAEConfig(**CLIPS, num_labels=5, use_mean_pooling=pooled)
    theirs = randomize(transformers.VideoMAEForVideoClassification(config))
    expected = outputs(theirs, clips()).logits.numpy()
    weights = check(theirs, {"rgb": clips()}, expected, num_classes=5)
    assert weights.preprocessing == {"num_frames": 4, "crop": 32, "rgb": IMAGENET}
    assert not any(np.any(x) for path, x in weights.params.items() if path.endswith("key/bias"))


IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.mark.parametrize("key", ["model", "module"])
@pytest.mark.parametrize("pooled", [True, False])
def test_fine_tuned_video_mae_in_its_own_names(pooled: bool, key: str, tmp_path: Path):
    config = transformers.VideoMAEConfig(
        **CLIPS, num_labels=5, use_mean_pooling=pooled, layer_norm_eps=1e-6
    )
    theirs = randomize(transformers.VideoMAEForVideoClassification(config))
    state = theirs.state_dict()
    own = {"norm": "videomae.layernorm", "fc_norm": "fc_norm", "head": "classifier"}
    own["patch_embed.proj"] = "videomae.embeddings.patch_embeddings.projection"
    names = [(x, y) for x, y in own.items() if f"{y}.weight" in state]
    saved = {f"{x}.{leaf}": state[f"{y}.{leaf}"] for x, y in names for leaf in ("weight", "bias")}
    for i in range(2):
        block = own_names(state, f"videomae.encoder.layer.{i}.")
        saved |= {f"blocks.{i}.{name}": array for name, array in block.items()}
    torch.save({key: saved, "epoch": 9}, tmp_path / "w.pth")

    weights = read_weights(tmp_path / "w.pth")
    assert not weights.rest
    assert "no config.json says what its inputs are" in weights.notes[-1]
    ours = run(weights, {"rgb": clips()}, num_classes=5)
    np.testing.assert_allclose(ours, outputs(theirs, clips()).logits, atol=1e-4, rtol=1e-4)
    family = recognise(read(tmp_path / "w.pth").shapes, installed_families())
    written, _ = family.write(weights)
    assert written.keys() == saved.keys()
    for name, array in saved.items():
        np.testing.assert_array_equal(written[name], array.numpy())
