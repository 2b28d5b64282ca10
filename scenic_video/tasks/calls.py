"""Calls of models by tasks: initialisation, training, and evaluation of views."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from scenic_video.errors import UserError
from scenic_video.tasks.presence import Inputs
from scenic_video.tasks.task import Variables


def init_model(model: Any, inputs: Inputs, rngs: Mapping[str, Key[Array, ""]]) -> Variables:
    """The initial variables of a model. Errors: UserError if it cannot be called with `inputs`."""
    check_call(model, [*inputs.keywords, "train"])
    return model.init(dict(rngs), **inputs.keywords, train=False)


def check_call(model: Any, given: Sequence[str]) -> None:
    """Errors: UserError if a model is not a Linen module, or takes arguments other than `given`."""
    name = type(model).__name__
    if not callable(model) or not all(hasattr(model, method) for method in ("init", "apply")):
        raise UserError(
            f"The model is a {name}; wanted a Flax Linen module: a class derived from "
            "flax.linen.Module with a method __call__(self, rgb, *, train)."
        )
    parameters = inspect.signature(model).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    not_taken = [x for x in given if x not in parameters and not takes_all]
    plain = [p for p in parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    missing = [p.name for p in plain if p.default is p.empty and p.name not in given]
    if not_taken or missing:
        raise UserError(
            f"{name}.__call__ takes {', '.join(parameters) or 'nothing'}, but is called with the "
            f"keywords {', '.join(given)}. Write def __call__(self, *, {', '.join(given)}); give "
            "further arguments a default."
        )


def call_in_training(
    model: Any, variables: Variables, inputs: Inputs, rngs: Mapping[str, Key[Array, ""]]
) -> tuple[Any, Variables]:
    """The output of the model, and its updated collections other than params."""
    collections = [name for name in variables if name != "params"]
    return model.apply(
        variables, **inputs.keywords, train=True, rngs=dict(rngs), mutable=collections
    )


def over_views(function: Callable[[Any], Any], inputs: Mapping[str, Any]) -> Any:
    """Applies `function` to the inputs [B, ...] of each view in turn; returns results [V, ...].

    Every array of `inputs` is [B, V, ...].
    """
    views = jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0), dict(inputs))
    if len(jax.tree.leaves(views)[0]) == 1:
        only_view = function(jax.tree.map(lambda x: x[0], views))
        return jax.tree.map(lambda x: x[None], only_view)
    return jax.lax.map(function, views)
