"""Layer-wise learning rates: layers nearer to the input of a pretrained model change more slowly.

The rate of a parameter is multiplied by factor^n, where n is the number of layers after it: 0 for
the head and everything after the last layer, 1 for the last layer, and L + 1 for the embeddings of
a model of L layers. Clark et al., ELECTRA, 2020; Bao et al., BEiT, 2022.
"""

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import optax

from scenic_video.errors import UserError
from scenic_video.field_types import Number, PositiveShare
from scenic_video.parameter_paths import check_pattern, parameter_paths

LayersAfter = Callable[[str], int | None]
"""The path of a parameter -> the number of layers after it; None if its layer is unknown."""


@dataclasses.dataclass(frozen=True)
class LayerDecay:
    """Multiplies the rate of a parameter by `factor` for each layer that follows it.

    `layers` are regular expressions that are searched in parameter paths, from the layer nearest to
    the input to the head: a parameter is in the first layer whose expression is found in its path.
    They replace the model's `layers_after`, which need not exist then.
    """

    factor: PositiveShare
    layers: Sequence[str] = ()

    def __post_init__(self):
        for pattern in self.layers:
            check_pattern(pattern, "layer_decay.layers")

    def transformation(self, layers_after: LayersAfter | None) -> optax.GradientTransformation:
        """Scales updates by layer. Errors, in `init`: UserError for parameters in no layer."""
        if self.factor == 1:
            return optax.identity()
        after = self._listed if self.layers else layers_after
        if after is None:
            raise UserError(
                f"layer_decay={self.factor} needs a model with a method layers_after(path) -> "
                "int, the number of layers after a parameter: 0 for the head, 1 for the last "
                "layer. Add it to the model, list the layers with "
                "scenic_video.optimizers:LayerDecay, or leave layer_decay out."
            )
        return scale_by_layer(self.factor, after)

    def _listed(self, path: str) -> int | None:
        found = (place for place, name in enumerate(self.layers) if re.search(name, path))
        first = next(found, None)
        return None if first is None else len(self.layers) - 1 - first


def scale_by_layer(factor: Number, layers_after: LayersAfter) -> optax.GradientTransformation:
    """Scales updates by `factor` for each layer that follows. Errors, in `init`: UserError for
    parameters in no layer."""

    def scale(updates: Any, params: Any) -> Any:
        scales = layer_scales(updates, factor, layers_after)
        return jax.tree.map(lambda update, scale: scale * update, updates, scales)

    def init(params: Any) -> optax.EmptyState:
        layer_scales(params, factor, layers_after)  # to fail before training
        return optax.EmptyState()

    return optax.GradientTransformation(init, optax.stateless(scale).update)


def layer_scales(params: Any, factor: Number, layers_after: LayersAfter) -> Any:
    """A tree like `params`, with the factor for the rate of each parameter."""
    paths = parameter_paths(params)
    numbers = {path: layers_after(path) for path in jax.tree.leaves(paths)}
    if unknown := [path for path, number in numbers.items() if number is None]:
        raise UserError(
            f"layer_decay={factor}: {len(unknown)} of {len(numbers)} parameters are in no layer of "
            f"the model's layers_after or of layer_decay.layers: {', '.join(unknown[:5])}"
            f"{', ...' if len(unknown) > 5 else ''}. Those after the last layer count as 0."
        )
    return jax.tree.map(lambda path: float(factor) ** (numbers[path] or 0), paths)
