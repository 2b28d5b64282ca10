"""Transforms of the inputs of a batch."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp

from scenic_video.modalities.inputs import InputTransform
from scenic_video.modalities.rgb import Rgb
from scenic_video.transforms.augmentation import Augment


@dataclasses.dataclass(frozen=True)
class RgbTransform:
    """`InputTransform` of frames alone, as an object with a hash."""

    mean: Sequence[float] = (0.5, 0.5, 0.5)
    std: Sequence[float] = (0.5, 0.5, 0.5)
    augmentations: Sequence[Augment] = ()

    def __call__(self, inputs, *, rng, train):
        make = InputTransform({"rgb": Rgb(self.mean, self.std)}, {"rgb": self.augmentations})
        return make(inputs, rng=rng, train=train)


def to_inputs(inputs, *, rng, train):
    """As the transform of a dataset with audio, the spectrogram being there already."""
    arrays = {name: x for name, x in inputs.items() if name != "has_audio"}
    if "has_audio" not in inputs:
        return arrays
    audio = inputs["has_audio"]
    return arrays | {"presence": {"rgb": jnp.ones_like(audio), "audio": audio}}
