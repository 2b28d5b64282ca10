"""TokenLearner against the public implementation's outputs and parameter trees."""

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

from projects.tokenlearner.model import TokenLearnerViT, TokenLearnerViViT
from scenic_video.layers.sizes import size
from scenic_video.layers.token_learner import TokenFuser, TokenLearnerModule, TokenLearnerModuleV11

GOLDEN = Path(__file__).parents[1] / "golden"
SIZE: dict[str, Any] = {"hidden_size": 32, "mlp_dim": 64, "num_layers": 4, "num_heads": 4}
TINY: dict[str, Any] = SIZE | {"num_classes": 10, "num_tokens": 4, "token_learner_at": 2}
image: Any = functools.partial(TokenLearnerViT, **TINY, patch_size=(8, 8))
video: Any = functools.partial(TokenLearnerViViT, tubelet_size=(2, 8, 8))

MODELS: dict[str, Any] = {
    "tokenlearner_image_v1": image(token_learner="v1"),
    "tokenlearner_image_v1_fuser": image(token_learner="v1", token_fuser=True),
    "tokenlearner_image_v11": image(),
    "tokenlearner_image_v11_fuser": image(token_fuser=True),
    "tokenlearner_video_v11": video(**TINY),
    "tokenlearner_video_v1_fuser": video(
        **TINY | {"token_learner_at": 3}, token_learner="v1", token_fuser=True
    ),
}
LEARNERS: dict[str, Any] = {
    "tokenlearner_module_v1_sum": TokenLearnerModule(num_tokens=4),
    "tokenlearner_module_v11": TokenLearnerModuleV11(num_tokens=4, bottleneck_dim=12),
}


def sized(model, name, num_classes, **fields):
    return model(**size(name), num_classes=num_classes, **fields)


base: Any = functools.partial(sized, TokenLearnerViT, "B", 1000, num_tokens=16, token_learner_at=9)
large: Any = functools.partial(
    sized, TokenLearnerViT, "L", 1000, num_tokens=16, token_learner_at=18
)
clips: Any = functools.partial(sized, TokenLearnerViViT, num_classes=400, num_tokens=8)
V1: dict[str, Any] = {"token_learner": "v1"}
TREES: dict[str, Any] = {
    "tokenlearner_b16_v1": base(**V1),
    "tokenlearner_b16_v11": base(),
    "tokenlearner_b16_v11_fuser": base(token_fuser=True),
    "tokenlearner_b16_v11_loc6_8tok": base(num_tokens=8, token_learner_at=6),
    "tokenlearner_b16_v1_fuser": base(**V1, token_fuser=True),
    "tokenlearner_l16_v1": large(**V1),
    "tokenlearner_l16_v11": large(),
    "tokenlearner_l16_v11_fuser": large(token_fuser=True),
    "tokenlearner_l16_v1_fuser": large(**V1, token_fuser=True),
    "tokenlearner_vivit_b16x2_v11": clips("B", token_learner_at=9),
    "tokenlearner_vivit_b16x2_v11_fuser": clips("B", token_learner_at=9, token_fuser=True),
    "tokenlearner_vivit_l16x2_v11": clips("L", token_learner_at=18),
}


def golden(name):
    """The case's description, its parameters and its inputs."""
    case = json.loads((GOLDEN / f"{name}.json").read_text())
    params = {path: _parameter(path, shape) for path, shape in case["params"].items()}
    inputs = [_input(tuple(shape)) for shape in case["inputs"].values()]
    return case, unflatten_dict(params, sep="/"), inputs


def _parameter(path, shape):
    noise = np.random.default_rng(zlib.crc32(path.encode())).standard_normal(shape)
    noise = noise.astype(np.float32)
    return (1 + 0.1 * noise if path.endswith("scale") else 0.1 * noise).astype(np.float32)


def _input(shape):
    seed = zlib.crc32(repr(shape).encode())
    values = np.random.default_rng(seed).uniform(-1, 1, shape)
    return jnp.asarray(values.astype(np.float32))


def shapes_of(module, *args, **kwargs):
    """Parameter path -> shape, without allocating anything."""
    init = functools.partial(module.init, jax.random.key(0))
    variables: Any = jax.eval_shape(init, *args, **kwargs)
    flat: dict[str, Any] = flatten_dict(variables["params"], sep="/")  # pyright: ignore
    return {path: list(leaf.shape) for path, leaf in flat.items()}


def assert_equals_golden(output, name):
    expected = np.load(GOLDEN / f"{name}.npz")["output"]
    assert output.shape == expected.shape
    assert np.abs(output - expected).max() <= 1e-4 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("name", MODELS)
def test_output_equals_the_public_implementations(name):
    case, params, (rgb,) = golden(name)
    assert shapes_of(MODELS[name], rgb=rgb) == case["params"]
    assert_equals_golden(jax.jit(MODELS[name].apply)({"params": params}, rgb=rgb), name)


@pytest.mark.parametrize("name", LEARNERS)
def test_learned_tokens_equal_the_public_implementations(name):
    case, params, (grid,) = golden(name)
    assert shapes_of(LEARNERS[name], grid) == case["params"]
    assert_equals_golden(jax.jit(LEARNERS[name].apply)({"params": params}, grid), name)


def test_fused_tokens_equal_the_public_implementations():
    case, params, (tokens, original) = golden("tokenfuser_norm1")
    grid, fuser = original.reshape(2, 6, 6, 16), TokenFuser(bottleneck_dim=12)
    assert shapes_of(fuser, tokens, grid) == case["params"]
    output: Any = jax.jit(fuser.apply)({"params": params}, tokens, grid)
    assert_equals_golden(output.reshape(original.shape), "tokenfuser_norm1")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if "_l16_" in n else ()) for n in TREES],
)
def test_full_size_parameters_have_the_public_names_shapes_and_total(name):
    case = json.loads((GOLDEN / "tokenlearner_trees.json").read_text())[name]
    rgb = jax.ShapeDtypeStruct(tuple(case["input"]), np.float32)
    shapes = shapes_of(TREES[name], rgb=rgb)
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == case["parameters"]
    listing = "\n".join(f"{path} {shape}" for path, shape in sorted(shapes.items()))
    assert hashlib.sha256(listing.encode()).hexdigest() == case["sha256"]


def test_every_public_case_is_tested():
    assert TREES.keys() == json.loads((GOLDEN / "tokenlearner_trees.json").read_text()).keys()
    files = {p.stem for kind in ("learner", "fuser") for p in GOLDEN.glob(f"token{kind}_*.npz")}
    assert files == {*MODELS, *LEARNERS, "tokenfuser_norm1"}
