"""Audio transformers of other libraries give the same logits here, and back."""

from typing import Any

import numpy as np
import pytest

from tests.interop.conftest import randomize

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
