"""From what files hold to what a model reads, on the device: augmentation and normalisation."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float32, UInt8

from scenic_video.config import ConfigError
from scenic_video.data.flow.reading import STILL
from scenic_video.errors import UserError
from scenic_video.field_types import Count, NonNegative, Share
from scenic_video.sharding import BATCH
from scenic_video.transforms.color import random_color
from scenic_video.transforms.erasing import random_erasing
from scenic_video.transforms.randaugment import MAX_MAGNITUDE, randaugment
from scenic_video.transforms.spectrograms import SpectrogramTransform

AUDIO, ERASING = 2**31, 2**31 + 1
"""Which draws are folded into a key, beside those of pictures, which count examples."""

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

    `mean` and `std` have a number per channel, in units of pixel / 255. `color_jitter` and
    `color_drop` are the probabilities that a clip's colours are jittered, and then that they are
    dropped (see `data.color`). `randaugment_layers` operations of `randaugment_magnitude`
    (1 to 20) are applied to each clip (see `data.randaugment`). RandAugment replaces colour
    jitter in every published recipe, so asking for both is an error. `random_erasing` is the
    probability that a box is hidden at the end (see `data.erasing`).
    """

    mean: Sequence[int | float]
    std: Sequence[int | float]
    color_jitter: Share = 0.0
    color_drop: Share = 0.0
    randaugment_layers: Count = 0
    randaugment_magnitude: NonNegative = 0
    random_erasing: Share = 0.0

    def __post_init__(self):
        for name in ("color_jitter", "color_drop", "random_erasing"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(
                    f"transform.{name} is a probability in [0, 1]; got {getattr(self, name)}."
                )
        if self.randaugment_layers < 0:
            raise ConfigError(
                "transform.randaugment_layers must be 0 (off) or more; got "
                f"{self.randaugment_layers}."
            )
        if self.randaugment_layers and not 1 <= self.randaugment_magnitude <= MAX_MAGNITUDE:
            raise ConfigError(
                f"transform.randaugment_magnitude must lie in [1, {MAX_MAGNITUDE}]; got "
                f"{self.randaugment_magnitude}."
            )
        if self.randaugment_layers and (self.color_jitter or self.color_drop):
            raise ConfigError(
                f"RandAugment (randaugment_layers={self.randaugment_layers}) replaces colour "
                f"jitter (color_jitter={self.color_jitter}, color_drop={self.color_drop}). Set "
                "transform.randaugment_layers=0, or both of the others to 0."
            )
        for name in ("mean", "std"):
            if len(getattr(self, name)) != 3:
                raise ConfigError(
                    f"{name} needs 3 numbers, one per channel; got {getattr(self, name)}."
                )

    def __call__(
        self, inputs: Mapping[str, jax.Array | np.ndarray], *, rng: jax.Array, train: bool
    ) -> dict[str, Float32[Array, "..."]]:
        """{"rgb": uint8 [B, T, H, W, 3] or [B, H, W, 3]} -> the same in float32, normalised.

        What happens to example i depends on `rng` and i alone: neither on the size of the batch
        nor on how it lies on the mesh.
        """
        pixels = _checked(inputs)
        if not train:
            return {"rgb": self._normalise(_to_unit(pixels))}
        clips = pixels if pixels.ndim == 5 else rearrange(pixels, "b h w c -> b 1 h w c")
        rngs = jax.vmap(jax.random.fold_in, (None, 0))(rng, jnp.arange(len(clips)))
        augmented = self._normalise(self._augment(clips, rngs))
        if self.random_erasing:
            rngs = jax.vmap(jax.random.fold_in, (0, None))(rngs, ERASING)
            erase = functools.partial(random_erasing, probability=self.random_erasing)
            augmented = jax.vmap(erase)(augmented, rngs)
        return {"rgb": augmented.reshape(pixels.shape)}

    def _augment(
        self, clips: UInt8[Array, "b t h w 3"], rngs: jax.Array
    ) -> Float32[Array, "b t h w 3"]:
        if self.randaugment_layers:
            augment = functools.partial(
                randaugment,
                num_layers=self.randaugment_layers,
                magnitude=self.randaugment_magnitude,
            )
            return _to_unit(map_examples(augment, clips, rngs))
        if self.color_jitter or self.color_drop:
            augment = functools.partial(
                random_color, jitter=self.color_jitter, drop=self.color_drop
            )
            return jax.vmap(augment)(_to_unit(clips), rngs)
        return _to_unit(clips)

    def _normalise(self, pixels: Float32[Array, "..."]) -> Float32[Array, "..."]:
        channels = (1,) * (pixels.ndim - 1) + (3,)
        mean, std = (np.asarray(x, np.float32).reshape(channels) for x in (self.mean, self.std))
        return (pixels - mean) / std


def map_examples(function: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """`function` of one example after another, on all devices at once.

    Unlike `vmap` this computes one branch of a `lax.switch`, not all. A loop over an axis that
    lies on many devices would gather it on each, so where a mesh is set (`jax.set_mesh`) each
    device loops over the examples that it holds.
    """

    def loop(*local: jax.Array) -> jax.Array:
        return jax.lax.map(lambda example: function(*example), local)

    mesh = jax.sharding.get_abstract_mesh()
    axes = tuple(axis for axis in BATCH[0] if axis in mesh.auto_axes)
    num_shards = math.prod(mesh.shape[axis] for axis in axes)
    if num_shards == 1 or len(arrays[0]) % num_shards:
        return loop(*arrays)
    spec = PartitionSpec(axes)
    return jax.shard_map(loop, in_specs=spec, out_specs=spec, axis_names=set(axes))(*arrays)


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
