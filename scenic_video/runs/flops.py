"""The cost of a model: GFLOPs by the papers' convention, and parameters; nothing is allocated."""

import functools
import inspect
import math
from typing import Any

import jax
import jax.numpy as jnp


def forward_gflops(model: Any, **input_shapes: tuple[int, ...]) -> float:
    """GFLOPs of one forward pass, as ViViT, MTV and TokenLearner print them.

    `input_shapes` have a batch axis, which is 1 in the papers: rgb=(1, 32, 224, 224, 3). The
    papers' convention is half of what XLA counts in the unoptimised float32 program: a
    multiply-add is one operation, and element-wise work counts by half. Multiply by the number of
    views for their "TFLOPs" columns. Matrix products alone are 0.3 to 0.9 % less.
    """
    model = model.clone(dtype="float32") if hasattr(model, "dtype") else model
    inputs = _inputs(input_shapes)
    with jax.default_device(jax.devices("cpu")[0]):  # not all backends count operations
        apply = functools.partial(model.apply, rngs={"mask": jax.random.key(0)}, **_mode(model))
        cost = jax.jit(apply).lower(_variables(model, inputs), **inputs).cost_analysis()
    if cost is None:
        raise RuntimeError("XLA counts no operations in this version of JAX.")
    return cost["flops"] / 2e9


def num_parameters(model: Any, **input_shapes: tuple[int, ...]) -> int:
    """Number of trainable scalars of a model for inputs of these shapes, batch axis included."""
    params = _variables(model, _inputs(input_shapes))["params"]
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def _inputs(shapes: dict[str, tuple[int, ...]]) -> dict[str, jax.ShapeDtypeStruct]:
    return {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in shapes.items()}


def _variables(model: Any, inputs: dict[str, jax.ShapeDtypeStruct]) -> Any:
    init = functools.partial(model.init, jax.random.key(0), **_mode(model))
    return jax.eval_shape(lambda inputs: init(**inputs), inputs)


def _mode(model: Any) -> dict[str, bool]:
    """The argument for evaluation, for models that have it."""
    return {"train": False} if "train" in inspect.signature(model).parameters else {}
