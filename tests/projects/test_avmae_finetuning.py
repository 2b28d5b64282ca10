"""Pretrained encoders with a head against the public outputs and parameter trees."""

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from projects.avmae.finetuning.model import PretrainedViT

pytestmark = pytest.mark.slow  # minutes, all together

GOLDEN = Path(__file__).parents[1] / "golden"
HEAD: dict[str, Any] = {"hidden_size": 32, "mlp_dim": 64, "num_layers": 3, "num_heads": 4}
HEAD |= {"num_classes": 10, "patch_size": (2, 8, 8)}
FINE_TUNED: dict[str, Any] = {
    "mae_finetune_video_token": PretrainedViT(**HEAD, positions="learned"),
    "mae_finetune_video_gap": PretrainedViT(**HEAD, classifier="gap", normalize="pooled"),
    "mae_finetune_spectrogram_gap": PretrainedViT(
        **dict(HEAD, patch_size=(8, 8)),
        modality="spectrogram",
        classifier="gap",
        normalize="pooled",
        use_modality_tokens=True,
    ),
}
VIT: dict[str, dict[str, Any]] = {
    "B": {"hidden_size": 768, "mlp_dim": 3072, "num_layers": 12, "num_heads": 12},
    "L": {"hidden_size": 1024, "mlp_dim": 4096, "num_layers": 24, "num_heads": 16},
}
VIDEO_HEAD: dict[str, Any] = {"num_classes": 400, "classifier": "gap", "normalize": "pooled"}
IMAGE_HEAD: dict[str, Any] = {
    "num_classes": 1000,
    "patch_size": (16, 16),
    "positions": "sinusoidal",
}
TREES: dict[str, Any] = {
    "mae_vit_b16_finetune": PretrainedViT(**VIT["B"], **IMAGE_HEAD),
    "mae_vit_l16_finetune": PretrainedViT(**VIT["L"], **IMAGE_HEAD),
    "mae_vivit_b16x2_finetune_gap": PretrainedViT(**VIT["B"], **VIDEO_HEAD),
    "mae_vivit_l16x2_finetune_gap": PretrainedViT(**VIT["L"], **VIDEO_HEAD),
}


def parameter(path, shape):
    noise = np.random.default_rng(zlib.crc32(path.encode())).standard_normal(shape)
    noise = noise.astype(np.float32)
    return (1 + 0.1 * noise if path.endswith("scale") else 0.1 * noise).astype(np.float32)


def array_of(shape):
    seed = zlib.crc32(repr(shape).encode())
    return jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32))


def shapes_of(model, inputs):
    """Parameter path -> shape, without allocating anything."""
    inputs = {name: jax.ShapeDtypeStruct(tuple(x), np.float32) for name, x in inputs.items()}
    variables: Any = jax.eval_shape(lambda x: model.init(jax.random.key(0), **x), inputs)
    flat: dict[str, Any] = flatten_dict(variables["params"], sep="/")  # pyright: ignore
    return {path: list(leaf.shape) for path, leaf in flat.items()}


@pytest.mark.parametrize("name", FINE_TUNED)
def test_logits_equal_the_public_implementations(name):
    case = json.loads((GOLDEN / f"{name}.json").read_text())
    flat = {path: parameter(path, shape) for path, shape in case["params"].items()}
    model, shape = FINE_TUNED[name], tuple(case["inputs"]["input"])
    inputs = {model.modality: array_of(shape)}
    output = jax.jit(model.apply)({"params": unflatten_dict(flat, sep="/")}, **inputs)
    expected = np.load(GOLDEN / f"{name}.npz")["output"]
    np.testing.assert_allclose(output, expected, atol=1e-4)
    assert shapes_of(model, {model.modality: shape}) == case["params"]


@pytest.mark.parametrize(
    "name", [pytest.param(k, marks=pytest.mark.slow if "l16" in k else ()) for k in TREES]
)
def test_full_size_parameters_have_the_public_names_shapes_and_total(name):
    case = json.loads((GOLDEN / "mae_trees.json").read_text())[name]
    shapes = shapes_of(TREES[name], {"rgb": case["input"]})
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == case["parameters"]
    listing = "\n".join(f"{path} {shape}" for path, shape in sorted(shapes.items()))
    assert hashlib.sha256(listing.encode()).hexdigest() == case["sha256"]


def test_a_fine_tuned_model_takes_its_modality_in_its_shape():
    with pytest.raises(ValueError, match="is for 'rgb' alone but got"):
        shapes_of(PretrainedViT(**HEAD), {"spectrogram": (2, 48, 32, 1)})
    with pytest.raises(ValueError, match="needs an input of 5 axes"):
        shapes_of(PretrainedViT(**HEAD), {"rgb": (2, 32, 32, 3)})
