"""From what files hold to what a model reads, on the device: augmentation and normalisation."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from jaxtyping import Array, Float32, UInt8

from scenic_video.config import ConfigError
from scenic_video.data.flow.reading import STILL
from scenic_video.errors import UserError
from scenic_video.transforms.augmentation import Augment, augment
from scenic_video.transforms.spectrograms import SpectrogramTransform

AUDIO = 2**31
"""Folded into the key of audio, beside the keys of frames, which count examples."""

Transformed = dict[str, Any]
"""Arrays by modality, and under "presence" which examples have it, where some may lack one."""


@dataclasses.dataclass(frozen=True)
class InputTransform:
    """Applies to every input of a batch the transform of its kind.

    `pictures` turns "rgb" into itself, `audio` "waveform" and "has_audio" into "audio", and
    "flow" becomes float32 in [-1, 1], 0 where nothing moves. With audio, "presence" holds a
    float32 [B] for every modality: 1, or 0 where an example lacks it.
    """

    pictures: "VideoTransform | None" = None
    audio: SpectrogramTransform | None = None

    def __call__(
        self, inputs: Mapping[str, jax.Array | np.ndarray], *, rng: jax.Array, train: bool
    ) -> Transformed:
        transformed: Transformed = {}
        if self.pictures is not None:
            transformed |= self.pictures({"rgb": inputs["rgb"]}, rng=rng, train=train)
        if "flow" in inputs:
            transformed["flow"] = (jnp.asarray(inputs["flow"], jnp.float32) - STILL) / 127
        if self.audio is None:
            return transformed
        has_audio = jnp.asarray(inputs["has_audio"])
        transformed["audio"] = self.audio(
            inputs["waveform"], has_audio, rng=jax.random.fold_in(rng, AUDIO), train=train
        )
        presence = {name: jnp.ones_like(has_audio) for name in transformed}
        return transformed | {"presence": presence | {"audio": has_audio}}


@dataclasses.dataclass(frozen=True)
class VideoTransform:
    """Augments (in training) and normalises the input "rgb".

    `mean` and `std` have a number per channel, in units of pixel / 255. `augmentations` change
    float32 pixels [t, h, w, 3] in [0, 1] before these are normalised.
    """

    mean: Sequence[int | float]
    std: Sequence[int | float]
    augmentations: Sequence[Augment] = ()

    def __post_init__(self):
        for name in ("mean", "std"):
            if len(getattr(self, name)) != 3:
                raise ConfigError(
                    f"{name} needs 3 numbers, one per channel; got {getattr(self, name)}."
                )

    def __call__(
        self, inputs: Mapping[str, jax.Array | np.ndarray], *, rng: jax.Array, train: bool
    ) -> dict[str, Float32[Array, "..."]]:
        """{"rgb": uint8 [B, T, H, W, 3] or [B, H, W, 3]} -> the same in float32, normalised.

        See `augment` for what the draws depend on.
        """
        pixels = _checked(inputs)
        if not train:
            return {"rgb": self._normalise(_to_unit(pixels))}
        clips = pixels if pixels.ndim == 5 else rearrange(pixels, "b h w c -> b 1 h w c")
        augmented = augment(_to_unit(clips), self.augmentations, rng, mean=tuple(self.mean))
        return {"rgb": self._normalise(augmented).reshape(pixels.shape)}

    def _normalise(self, pixels: Float32[Array, "..."]) -> Float32[Array, "..."]:
        channels = (1,) * (pixels.ndim - 1) + (3,)
        mean, std = (np.asarray(x, np.float32).reshape(channels) for x in (self.mean, self.std))
        return (pixels - mean) / std


def _checked(inputs: Mapping[str, jax.Array | np.ndarray]) -> jax.Array:
    if set(inputs) != {"rgb"}:
        raise UserError(f"VideoTransform reads the input 'rgb' alone; got {sorted(inputs)}.")
    pixels = inputs["rgb"]
    if pixels.dtype != jnp.uint8 or pixels.ndim not in (4, 5) or pixels.shape[-1] != 3:
        raise UserError(
            "VideoTransform needs rgb as uint8 [B, T, H, W, 3] or [B, H, W, 3]; got "
            f"{pixels.dtype} {pixels.shape}."
        )
    return jnp.asarray(pixels)


def _to_unit(pixels: UInt8[Array, "..."]) -> Float32[Array, "..."]:
    return pixels.astype(jnp.float32) / 255
