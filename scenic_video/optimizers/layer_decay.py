"""Layer-wise learning rates: layers nearer to the input of a pretrained model change more slowly.

The rate of a parameter is multiplied by decay^n, where n is the number of layers after it: 0 for
the head and everything after the last layer, 1 for the last layer, and L + 1 for the embeddings of
a model of L layers. Clark et al., ELECTRA, 2020; Bao et al., BEiT, 2022.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax

from scenic_video.errors import UserError
from scenic_video.field_types import Number
from scenic_video.parameter_paths import parameter_paths

LayersAfter = Callable[[str], int | None]
"""The path of a parameter -> the number of layers after it; None if its layer is unknown."""


def scale_by_layer(
    layer_decay: Number, layers_after: LayersAfter | None
) -> optax.GradientTransformation:
    """Scales updates by layer. `init` raises UserError for parameters whose layer is unknown."""
    if layers_after is None:
        raise UserError(
            f"layer_decay={layer_decay} needs a model with a method layers_after(path) -> int, "
            "the number of layers after a parameter: 0 for the head, 1 for the last layer. Add it "
            "to the model, or leave layer_decay out."
        )

    def scale(updates: Any, params: Any) -> Any:
        scales = layer_scales(updates, layer_decay, layers_after)
        return jax.tree.map(lambda update, scale: scale * update, updates, scales)

    def init(params: Any) -> optax.EmptyState:
        layer_scales(params, layer_decay, layers_after)  # to fail before training
        return optax.EmptyState()

    return optax.GradientTransformation(init, optax.stateless(scale).update)


def layer_scales(params: Any, layer_decay: Number, layers_after: LayersAfter) -> Any:
    """A tree like `params`, with the factor for the rate of each parameter."""
    paths = parameter_paths(params)
    numbers = {path: layers_after(path) for path in jax.tree.leaves(paths)}
    if unknown := [path for path, number in numbers.items() if number is None]:
        raise UserError(
            f"layer_decay={layer_decay}: the model's layers_after returns None for "
            f"{len(unknown)} of {len(numbers)} parameters: {', '.join(unknown[:5])}"
            f"{', ...' if len(unknown) > 5 else ''}. Return 0 for those after the last layer."
        )
    return jax.tree.map(lambda path: float(layer_decay) ** (numbers[path] or 0), paths)
