"""MTV against the public implementation's outputs and parameter trees."""

import functools
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

from projects.mtv.model import MTV
from projects.mtv.views import View
from scenic_video.layers.view_fusion import Bottleneck, CrossViewAttention

GOLDEN = Path(__file__).parents[1] / "golden"


def tiny_views(depths=(3, 3, 3)):
    """Three views, coarse to fine."""
    return tuple(
        View(8 * size, 16 * size, num_layers, num_heads=size, tubelet_size=(time, 8, 8))
        for size, num_layers, time in zip((2, 3, 4), depths, (8, 4, 2), strict=True)
    )


TINY: dict[str, Any] = {
    "num_classes": 10,
    "global_hidden_size": 20,
    "global_mlp_dim": 40,
    "global_num_layers": 2,
    "global_num_heads": 3,
}
FOUR_HEADS: dict[str, Any] = TINY | {"global_num_heads": 4}
THREE: dict[str, Any] = TINY | {"views": tiny_views()}
ATTENTION = CrossViewAttention(layers=(1, 2))
MODELS: dict[str, Any] = {
    "mtv_single_view": MTV(**FOUR_HEADS, views=tiny_views()[2:]),
    "mtv_late_fusion_3view": MTV(**THREE),
    "mtv_cva_3view_token": MTV(**THREE, fusion=ATTENTION),
    "mtv_cva_3view_gap": MTV(**THREE, fusion=ATTENTION, classifier="gap"),
    "mtv_cva_merge_time": MTV(**FOUR_HEADS, views=tiny_views(), fusion=ATTENTION, merge="time"),
    "mtv_cva_unequal_depth": MTV(
        **TINY, views=tiny_views((2, 2, 4)), fusion=CrossViewAttention(layers=(1, 3))
    ),
    "mtv_bottleneck_3view": MTV(**THREE, fusion=Bottleneck(layers=(1, 2), num_tokens=3)),
}

small = functools.partial(MTV, num_classes=400, views="B/4+S/8+Ti/16")
medium = functools.partial(MTV, views="B/2+S/4+Ti/8", fusion=CrossViewAttention())
large = functools.partial(MTV, fusion=CrossViewAttention(layers=(11, 23)))
TREES: dict[str, Any] = {
    "mtv_b4_single_view": small(views="B/4"),
    "mtv_b4s8ti16_late_fusion": small(),
    "mtv_b4s8ti16_cva": small(fusion=CrossViewAttention()),
    "mtv_b4s8ti16_cva_gap": small(fusion=CrossViewAttention(), classifier="gap"),
    "mtv_b4s8ti16_cva_ascending": small(fusion=CrossViewAttention(direction="coarse_to_fine")),
    "mtv_b4s8ti16_cva_keyval_config": small(fusion=CrossViewAttention(sizes_from="key_value")),
    "mtv_b4s8ti16_cva_global_merge_time": small(fusion=CrossViewAttention(), merge="time"),
    "mtv_b4s8ti16_bottleneck": small(fusion=Bottleneck()),
    "mtv_b4s8ti16_bottleneck_ascending": small(fusion=Bottleneck(direction="coarse_to_fine")),
    "mtv_b2s4ti8_cva_k400": medium(num_classes=400),
    "mtv_b2s4ti8_cva_epic_64f": medium(num_classes=397),
    "mtv_b2s4ti8_cva_ssv2_48f": medium(num_classes=174),
    "mtv_l2b4s8ti16_cva_k600": large(num_classes=600, views="L/2+B/4+S/8+Ti/16"),
    "mtv_l2b4s8ti16_cva_mit": large(num_classes=305, views="L/2+B/4+S/8+Ti/16"),
    "mtv_h2b4s8ti16_cva_280": large(num_classes=400, views="H/2+B/4+S/8+Ti/16"),
}
FAST = ("mtv_b4s8ti16_cva_keyval_config",)


def golden(name):
    """The case's description, its parameters and its input."""
    case = json.loads((GOLDEN / f"{name}.json").read_text())
    params = {path: _parameter(path, shape) for path, shape in case["params"].items()}
    shape = tuple(case["inputs"]["input"])
    seed = zlib.crc32(repr(shape).encode())
    rgb = np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)
    return case, unflatten_dict(params, sep="/"), jnp.asarray(rgb)


def _parameter(path, shape):
    noise = np.random.default_rng(zlib.crc32(path.encode())).standard_normal(shape)
    noise = noise.astype(np.float32)
    return (1 + 0.1 * noise if path.endswith("scale") else 0.1 * noise).astype(np.float32)


def shapes_of(model, rgb_shape):
    """Parameter path -> shape, without allocating anything."""
    rgb = jax.ShapeDtypeStruct(rgb_shape, np.float32)
    variables: Any = jax.eval_shape(lambda rgb: model.init(jax.random.key(0), rgb=rgb), rgb)
    flat: dict[str, Any] = flatten_dict(variables["params"], sep="/")  # pyright: ignore
    return {path: list(leaf.shape) for path, leaf in flat.items()}


@pytest.mark.parametrize("name", MODELS)
def test_output_equals_the_public_implementations(name):
    _, params, rgb = golden(name)
    expected = np.load(GOLDEN / f"{name}.npz")["output"]
    output = jax.jit(MODELS[name].apply)({"params": params}, rgb=rgb)
    assert output.shape == expected.shape
    assert np.abs(output - expected).max() <= 1e-4 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("name", MODELS)
def test_parameters_have_the_public_names_and_shapes(name):
    case, _, rgb = golden(name)
    assert shapes_of(MODELS[name], rgb.shape) == case["params"]


def test_every_golden_is_tested():
    present = {path.stem for path in GOLDEN.glob("mtv_*.npz")}
    assert present == MODELS.keys()
    assert TREES.keys() == json.loads((GOLDEN / "mtv_trees.json").read_text()).keys()


@pytest.mark.parametrize(
    "name",
    [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in TREES],
)
def test_full_size_parameters_have_the_public_names_shapes_and_total(name):
    case = json.loads((GOLDEN / "mtv_trees.json").read_text())[name]
    shapes = shapes_of(TREES[name], tuple(case["input"]))
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == case["parameters"]
    listing = "\n".join(f"{path} {shape}" for path, shape in sorted(shapes.items()))
    assert hashlib.sha256(listing.encode()).hexdigest() == case["sha256"]
