"""Turns the arrays of a batch into the inputs of a model, on the device."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scenic_video.modalities.modality import Modality
from scenic_video.transforms.augmentation import Augment, augment

Transformed = dict[str, Any]
"""Arrays by modality; "presence" states which examples have each, if some may lack one."""


@dataclasses.dataclass(frozen=True)
class InputTransform:
    """Computes the model's input of each modality, with its `augmentations` in training.

    If examples may lack a modality, "presence" maps every modality to float32 [B]: 1, or 0 for
    examples that lack it.
    """

    modalities: Mapping[str, Modality]
    augmentations: Mapping[str, Sequence[Augment]] = dataclasses.field(default_factory=dict)

    def __call__(
        self, inputs: Mapping[str, jax.Array | np.ndarray], *, rng: jax.Array, train: bool
    ) -> Transformed:
        transformed: Transformed = {}
        presence: dict[str, Any] = {}
        for name, modality in self.modalities.items():
            functions = self.augmentations.get(name, ()) if train else ()
            own = rng if modality.stream is None else jax.random.fold_in(rng, modality.stream)
            change = functools.partial(_augmented, augmentations=functions, rng=own)
            transformed[name] = modality.on_device(inputs, change)
            if modality.can_be_absent:
                presence[name] = jnp.asarray(modality.present(inputs))
        if not presence:
            return transformed
        ones = jnp.ones_like(next(iter(presence.values())))
        return transformed | {"presence": dict.fromkeys(transformed, ones) | presence}


def _augmented(
    values: jax.Array, *, augmentations: Sequence[Augment], rng: jax.Array, **known: Any
) -> jax.Array:
    return augment(values, augmentations, rng, **known) if augmentations else values
