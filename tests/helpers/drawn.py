"""Models with random parameters, and clips for them, without compiling `init`."""

import zlib
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, path_aware_map


def drawn(shapes: Any, *, seed: int = 0, scale: float = 0.2) -> Any:
    """Numbers for a tree of shapes, told by their paths: of deviation `scale`, and about 1 where a
    LayerNorm multiplies."""

    def leaf(path, x):
        random = np.random.default_rng([zlib.crc32("/".join(path).encode()), seed])
        return (scale * random.normal(size=x.shape) + (path[-1] == "scale")).astype(np.float32)

    return path_aware_map(leaf, shapes)


def start(model: Any, *args: Any, seed: int = 0, scale: float = 0.2, **inputs: Any) -> Any:
    """Random variables of a model, for inputs of these shapes."""
    rngs = {"params": jax.random.key(0), "mask": jax.random.key(0)}
    shapes = jax.eval_shape(lambda args, inputs: model.init(rngs, *args, **inputs), args, inputs)
    return drawn(shapes, seed=seed, scale=scale)


def parameters(model: Any, *, seed: int = 0, **inputs: Any) -> dict[str, Any]:
    """The parameters among them."""
    return start(model, seed=seed, **inputs)["params"]


def leaves(tree: Any) -> dict[str, Any]:
    """Path -> leaf."""
    return dict(flatten_dict(tree, sep="/"))  # pyright: ignore[reportArgumentType]


def clip(*shape: int, seed: int = 0) -> jax.Array:
    """Pixels in [-1, 1]."""
    return jax.random.uniform(jax.random.key(seed), shape, minval=-1, maxval=1)
