"""Reads the reference cases of tests/golden: outputs and parameter trees of the public code."""

import functools
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from scenic_video.layers.sizes import size

GOLDEN = Path(__file__).parents[1] / "golden"


class Case(NamedTuple):
    """A small model, with numbers that depend only on the names and shapes of its arrays.

    `tree` maps the paths of its parameters to shapes, `inputs` those of its inputs to arrays;
    `outputs` are those of the public code.
    """

    tree: dict[str, list[int]]
    params: Any
    inputs: dict[str, jax.Array]
    outputs: dict[str, np.ndarray]
    description: dict[str, Any]


def read_case(name: str) -> Case:
    """The case of tests/golden/<name>.json and .npz."""
    description = json.loads((GOLDEN / f"{name}.json").read_text())
    tree = description["params"]
    params = {path: parameter(path, shape) for path, shape in tree.items()}
    shapes = {renamed(path): shape for path, shape in description["inputs"].items()}
    inputs = {path: _input(tuple(shape)) for path, shape in shapes.items()}
    arrays = np.load(GOLDEN / f"{name}.npz")
    outputs = {renamed(path): arrays[path] for path in arrays.files}
    return Case(tree, unflatten_dict(params, sep="/"), inputs, outputs, description)


def parameter(path: str, shape: list[int]) -> np.ndarray:
    noise = np.random.default_rng(zlib.crc32(path.encode())).standard_normal(shape)
    noise = noise.astype(np.float32)
    return (1 + 0.1 * noise if path.endswith("scale") else 0.1 * noise).astype(np.float32)


def _input(shape: tuple[int, ...]) -> jax.Array:
    seed = zlib.crc32(repr(shape).encode())
    return jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32))


def shapes_of(module: Any, *args: Any, **kwargs: Any) -> dict[str, list[int]]:
    """Parameter path -> shape, without allocating anything; inputs are arrays or shapes."""
    arrays = [_abstract(x) for x in args], {name: _abstract(x) for name, x in kwargs.items()}
    init = functools.partial(module.init, jax.random.key(0))
    variables: Any = jax.eval_shape(init, *arrays[0], **arrays[1])
    flat: dict[str, Any] = flatten_dict(variables["params"], sep="/")  # pyright: ignore
    return {path: list(leaf.shape) for path, leaf in flat.items()}


def _abstract(x: Any) -> Any:
    return x if hasattr(x, "shape") else jax.ShapeDtypeStruct(tuple(x), np.float32)


def assert_close(output: Any, expected: np.ndarray) -> None:
    """Equal up to 1e-4 of the largest number."""
    assert output.shape == expected.shape
    assert np.abs(output - expected).max() <= 1e-4 * max(1, np.abs(expected).max())


def sized(model: Any, name: str, num_classes: int, **fields: Any) -> Any:
    """A model of the size `name` in papers."""
    return model(**size(name), num_classes=num_classes, **fields)


def read_trees(name: str) -> dict[str, Any]:
    """Full-size models of tests/golden/<name>_trees.json: their inputs and parameter trees."""
    cases = json.loads((GOLDEN / f"{name}_trees.json").read_text())
    for case in cases.values():
        if isinstance(case.get("input"), dict):
            case["input"] = {renamed(path): shape for path, shape in case["input"].items()}
    return cases


def renamed(path: str) -> str:
    """The path of an input or output by our names: the public code calls audio "spectrogram"."""
    return "/".join("audio" if part == "spectrogram" else part for part in path.split("/"))


def assert_tree(shapes: dict[str, list[int]], case: dict[str, Any]) -> None:
    """Parameters have the public names and shapes, and their total."""
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == case["parameters"]
    listing = "\n".join(f"{path} {shape}" for path, shape in sorted(shapes.items()))
    assert hashlib.sha256(listing.encode()).hexdigest() == case["sha256"]
