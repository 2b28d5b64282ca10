"""Transformers of audio alone, as AST and AudioMAE are made."""

from typing import Any

import jax
import numpy as np
import pytest

from projects.avmae.spectrograms.model import SpectrogramTransformer
from scenic_video.config import ConfigError
from tests.helpers.drawn import leaves, start

SIZES: dict[str, Any] = {
    "num_classes": 3, "hidden_size": 8, "mlp_dim": 16, "num_layers": 1, "num_heads": 2,
    "patch_size": (4, 2),
}  # fmt: skip
AUDIO = jax.random.normal(jax.random.key(0), (2, 14, 6, 1))


def made(**fields: Any) -> tuple[Any, Any]:
    model = SpectrogramTransformer(**SIZES, **fields)
    return model, start(model, audio=AUDIO)


def shapes(variables: Any) -> dict[str, tuple[int, ...]]:
    return {path: x.shape for path, x in leaves(variables["params"]).items()}


def test_patches_overlap_and_both_class_tokens_have_positions():
    _, variables = made(patch_stride=(2, 1), distillation_token=True)
    found = shapes(variables)
    assert found["Transformer/posembed_input/pos_embedding"] == (1, 2 + 6 * 5, 8)
    assert found["embedding/kernel"] == (4, 2, 1, 8)
    assert {"cls", "cls_distillation", "encoder_norm/scale"} <= found.keys()


def test_fixed_positions_need_no_table_and_a_class_token_is_not_pooled():
    fields: dict[str, Any] = {"positions": "sinusoidal", "normalize": "pooled"}
    model, variables = made(classifier="gap", **fields)
    assert not any(
        "posembed" in path or "Transformer/encoder_norm" in path for path in shapes(variables)
    )
    _, state = model.apply(variables, audio=AUDIO, mutable="intermediates")
    (features,) = state["intermediates"]["features"]
    assert features.shape == (2, 8)
    norm = leaves(variables["params"])
    normalized = (np.asarray(features) - norm["encoder_norm/bias"]) / norm["encoder_norm/scale"]
    np.testing.assert_allclose(normalized.mean(axis=-1), 0, atol=1e-5)


def test_a_stride_larger_than_the_patch_is_an_error():
    with pytest.raises(ConfigError, match="a patch_stride of at most patch_size"):
        SpectrogramTransformer(**SIZES, patch_stride=(5, 2))
