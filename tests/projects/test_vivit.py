"""The ViViT family against the public implementation's outputs and parameter trees."""

import json
import zlib
from pathlib import Path

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.vivit.model import (
    FactorisedDotProduct,
    FactorisedEncoder,
    FactorisedSelfAttention,
    FrameAverage,
    SpatioTemporalAttention,
    ViT,
)

GOLDEN = Path(__file__).parents[1] / "golden"
TINY = {"num_classes": 10, "hidden_size": 32, "mlp_dim": 64, "num_layers": 3, "num_heads": 4}
IMAGE = TINY | {"patch_size": (8, 8)}
VIDEO = TINY | {"tubelet_size": (2, 8, 8)}
TEMPORAL = {"temporal_num_layers": 2, "temporal_mlp_dim": 48, "temporal_num_heads": 2}

MODELS = {
    "vit_token": ViT(**IMAGE),
    "vit_gap": ViT(**IMAGE, classifier="gap"),
    "vit_map": ViT(**IMAGE, classifier="map"),
    "vit_token_prelogits": ViT(**IMAGE, representation_size=16),
    "vit_token_sincos2d": ViT(**IMAGE, positions="sinusoidal"),
    "vivit_joint_token": SpatioTemporalAttention(**VIDEO),
    "vivit_joint_gap": SpatioTemporalAttention(**VIDEO, classifier="gap"),
    "vivit_joint_token_uniform_sampling": SpatioTemporalAttention(
        **TINY, tubelet_size=(1, 8, 8), uniform_frames=3
    ),
    "vivit_fe_token": FactorisedEncoder(**VIDEO, **TEMPORAL),
    "vivit_fe_gap": FactorisedEncoder(**VIDEO, **TEMPORAL, classifier="gap"),
    "vivit_fe_spatial_only": FrameAverage(**VIDEO),
    "vivit_fsa_time_space": FactorisedSelfAttention(**VIDEO),
    "vivit_fsa_space_time": FactorisedSelfAttention(**VIDEO, attention_order="space_time"),
    "vivit_fdpa": FactorisedDotProduct(**VIDEO),
}


def golden(name):
    """The case's description, its parameters and its input."""
    case = json.loads((GOLDEN / f"{name}.json").read_text())
    params = {path: _parameter(path, shape) for path, shape in case["params"].items()}
    shape = tuple(case["inputs"]["input"])
    seed = zlib.crc32(repr(shape).encode())
    rgb = np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)
    return case, flax.traverse_util.unflatten_dict(params, sep="/"), jnp.asarray(rgb)


def _parameter(path, shape):
    noise = np.random.default_rng(zlib.crc32(path.encode())).standard_normal(shape)
    noise = noise.astype(np.float32)
    return (1 + 0.1 * noise if path.endswith("scale") else 0.1 * noise).astype(np.float32)


def shapes_of(model, rgb_shape):
    """Parameter path -> shape, without allocating anything."""
    rgb = jax.ShapeDtypeStruct(rgb_shape, np.float32)
    variables = jax.eval_shape(lambda rgb: model.init(jax.random.key(0), rgb=rgb), rgb)
    flat = flax.traverse_util.flatten_dict(variables["params"], sep="/")
    return {path: list(leaf.shape) for path, leaf in flat.items()}


@pytest.mark.parametrize("name", MODELS)
def test_output_equals_the_public_implementations(name):
    _, params, rgb = golden(name)
    expected = np.load(GOLDEN / f"{name}.npz")["output"]
    output = MODELS[name].apply({"params": params}, rgb=rgb)
    assert output.shape == expected.shape
    assert np.abs(output - expected).max() <= 1e-4 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("name", MODELS)
def test_parameters_have_the_public_names_and_shapes(name):
    case, _, rgb = golden(name)
    assert shapes_of(MODELS[name], rgb.shape) == case["params"]
