"""How tasks call a model: in training, and on the views of an evaluation."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from scenic_video.tasks.presence import Inputs
from scenic_video.tasks.task import Variables


def call_in_training(
    model: Any, variables: Variables, inputs: Inputs, rngs: Mapping[str, Key[Array, ""]]
) -> tuple[Any, Variables]:
    """What the model returns, and its collections other than params as it left them."""
    collections = [name for name in variables if name != "params"]
    return model.apply(
        variables, **inputs.keywords, train=True, rngs=dict(rngs), mutable=collections
    )


def over_views(function: Callable[[Any], Any], inputs: Mapping[str, Any]) -> Any:
    """`function` of the inputs [B, ...] of one view after another; what it gives as [V, ...].

    Every array of `inputs` is [B, V, ...].
    """
    views = jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0), dict(inputs))
    if len(jax.tree.leaves(views)[0]) == 1:
        only_view = function(jax.tree.map(lambda x: x[0], views))
        return jax.tree.map(lambda x: x[None], only_view)
    return jax.lax.map(function, views)
