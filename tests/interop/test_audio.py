"""Audio transformers of other libraries give the same logits here, and back."""

import re
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from projects.avmae.checkpoints.spectrograms import fixed_positions
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.transforms.spectrograms import log_mel
from scenic_video.weights.families.family import installed_families, recognise
from scenic_video.weights.locations.reading import read
from scenic_video.weights.reading import read_weights
from tests.interop.conftest import randomize, run

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

TINY: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "patch_size": 8,
    "max_length": 48,
    "num_mel_bins": 32,
    "time_stride": 5,
    "frequency_stride": 6,
}


def spectrograms() -> np.ndarray:
    """[b, t, f]"""
    return np.random.default_rng(0).normal(size=(2, 48, 32)).astype(np.float32)


def test_ast(check):
    names = {0: "speech", 1: "music", 2: "rain"}
    config = transformers.ASTConfig(**TINY, num_labels=3, id2label=names)
    theirs = randomize(transformers.ASTForAudioClassification(config))
    with torch.no_grad():
        expected = theirs(torch.tensor(spectrograms())).logits.numpy()
    weights = check(theirs, {"audio": spectrograms()[..., None]}, expected, num_classes=3)
    assert weights.labels == {"label": ("speech", "music", "rain")}
    assert weights.inputs == {"audio": (48, 32)} and weights.grid == (9, 5)


def test_ast_without_a_head(check):
    theirs = randomize(transformers.ASTModel(transformers.ASTConfig(**TINY)))
    with torch.no_grad():
        expected = theirs(torch.tensor(spectrograms())).pooler_output.numpy()
    check(theirs, {"audio": spectrograms()[..., None]}, expected)


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")
def test_spectrograms_are_those_of_ast(tmp_path: Path):
    extractor = transformers.ASTFeatureExtractor(max_length=98)
    extractor.save_pretrained(tmp_path)
    config = transformers.ASTConfig(**TINY | {"max_length": 98, "num_mel_bins": 128})
    transformers.ASTModel(config).save_pretrained(tmp_path)
    weights = read_weights(tmp_path)
    assert weights.preprocessing is not None
    audio = Preprocessing(**weights.preprocessing).modalities["audio"]
    waveform = np.random.default_rng(0).normal(0, 0.05, audio.num_samples).astype(np.float32)
    theirs = extractor(waveform, sampling_rate=16_000, return_tensors="np").input_values[0]
    ours = (log_mel(jnp.asarray(waveform), audio) - audio.mean) / audio.std
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def in_the_names_of_its_authors(theirs: Any) -> dict[str, Any]:
    """A state dict as in the files of AST, which also hold the heads of an image model."""
    pairs = (
        (r"audio_spectrogram_transformer\.", "module.v."),
        (r"embeddings\.(position_embeddings|cls_token)", r"\1"),
        ("position_embeddings", "pos_embed"),
        (r"embeddings\.distillation_token", "dist_token"),
        (r"embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
        (r"(encoder\.layer|layers)\.(\d)", r"blocks.\2"),
        (r"attention\.(output\.dense|o_proj)", "attn.proj"),
        ("layernorm_before", "norm1"),
        ("layernorm_after", "norm2"),
        (r"v\.layernorm", "v.norm"),
        (r"classifier\.layernorm", "module.mlp_head.0"),
        (r"classifier\.dense", "module.mlp_head.1"),
    )
    saved = theirs.state_dict()
    for i in range(2):
        block = f"audio_spectrogram_transformer.layers.{i}.attention"
        for leaf in ("weight", "bias"):
            parts = [saved.pop(f"{block}.{x}_proj.{leaf}") for x in "qkv"]
            saved[f"module.v.blocks.{i}.attn.qkv.{leaf}"] = torch.cat(parts)
    for pattern, new in pairs:
        saved = {re.sub(pattern, new, name): array for name, array in saved.items()}
    left = {f"module.v.{head}.bias": torch.zeros(7) for head in ("head", "head_dist")}
    return saved | left


def test_ast_of_its_authors(tmp_path: Path):
    sizes = TINY | {"max_length": 128, "num_mel_bins": 128, "hidden_size": 192, "patch_size": 16}
    sizes |= {"time_stride": 10, "frequency_stride": 10, "num_attention_heads": 3}
    config = transformers.ASTConfig(**sizes, num_labels=3, layer_norm_eps=1e-6)
    theirs = randomize(transformers.ASTForAudioClassification(config))
    inputs = np.random.default_rng(0).normal(size=(2, 128, 128, 1)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.tensor(inputs[..., 0])).logits.numpy()
    saved = in_the_names_of_its_authors(theirs)
    torch.save(saved, tmp_path / "w")
    weights = read_weights(tmp_path / "w")
    assert weights.family == "AST of its authors" and not weights.rest
    assert weights.grid == (12, 12)
    assert weights.dropped == ("v.head.bias", "v.head_dist.bias")
    ours = run(weights, {"audio": inputs}, num_classes=3)
    np.testing.assert_allclose(ours, expected, atol=1e-4, rtol=1e-4)
    check_written(weights, saved, tmp_path)


@pytest.mark.parametrize("pool", ["token", "avg"])
def test_audiomae(pool: str, tmp_path: Path):
    timm = pytest.importorskip("timm")
    theirs = timm.models.vision_transformer.VisionTransformer(
        img_size=(64, 128), patch_size=16, in_chans=1, embed_dim=192, depth=2, num_heads=3,
        num_classes=5, global_pool=pool,
    )  # fmt: skip
    theirs = randomize(theirs)
    with torch.no_grad():
        theirs.pos_embed.copy_(torch.tensor(fixed_positions((4, 8), 192)))
    inputs = np.random.default_rng(0).normal(size=(2, 64, 128, 1)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.tensor(inputs).permute(0, 3, 1, 2)).numpy()
    saved = theirs.state_dict()
    decoder = {f"decoder_{name}": torch.zeros(3) for name in ("pos_embed", "blocks.0.attn.x")}
    torch.save({"model": saved | decoder}, tmp_path / "w")
    weights = read_weights(tmp_path / "w")
    assert weights.family == "AudioMAE" and not weights.rest
    assert weights.inputs == {"audio": (64, 128)} and "pos_embed" not in str(list(weights.params))
    assert "the decoder (2 arrays) is not read" in weights.notes
    ours = run(weights, {"audio": inputs}, num_classes=5)
    np.testing.assert_allclose(ours, expected, atol=1e-4, rtol=1e-4)
    check_written(weights, saved, tmp_path)


def check_written(weights: Any, saved: dict[str, Any], folder: Path) -> None:
    """All arrays but those that were dropped are written bit for bit."""
    written, _ = recognise(read(folder / "w").shapes, installed_families()).write(weights)
    kept = {name.removeprefix("module."): x for name, x in saved.items()}
    kept = {name: x for name, x in kept.items() if name not in weights.dropped}
    assert written.keys() == kept.keys()
    for name, array in kept.items():
        np.testing.assert_array_equal(written[name], array.numpy())


@pytest.mark.slow
def test_ast_of_base_size(check):
    theirs = randomize(transformers.ASTForAudioClassification(transformers.ASTConfig(num_labels=7)))
    with torch.no_grad():
        for parameter in theirs.parameters():
            if parameter.ndim > 1:  # 12 layers of larger values would amplify rounding
                parameter.mul_(0.1)
    inputs = np.random.default_rng(0).normal(size=(1, 1024, 128)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.tensor(inputs)).logits.numpy()
    weights = check(theirs, {"audio": inputs[..., None]}, expected, num_classes=7)
    assert weights.grid == (101, 12)
