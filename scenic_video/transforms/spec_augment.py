"""SpecAugment: hides random bands of mel bins and spans of time."""

from collections.abc import Sequence
from typing import Annotated

import jax
import jax.numpy as jnp
from annotated_types import Len
from jaxtyping import Array, Float, Key

from scenic_video.config import ConfigError
from scenic_video.field_types import Count

Masks = Annotated[Sequence[Count], Len(2, 2)]
"""(number, width)."""


def spec_augment(
    spectrogram: Float[Array, "columns bins"],
    rng: Key[Array, ""],
    *,
    frequency_masks: Masks = (0, 0),
    time_masks: Masks = (0, 0),
) -> Float[Array, "columns bins"]:
    """Sets spans to 0, the mean of a normalised spectrogram (Park et al., 2019, section 2).

    Masks are (number, width): the number of bands of mel bins, or of spans of columns in time, each
    of a random length from 0 to width - 1.
    """
    columns, bins = spectrogram.shape
    _check("time_masks", time_masks, columns)
    _check("frequency_masks", frequency_masks, bins)
    frequency_rng, time_rng = (jax.random.fold_in(rng, stream) for stream in (1, 2))
    hidden = _spans(time_rng, columns, *time_masks)[:, None]
    hidden = hidden | _spans(frequency_rng, bins, *frequency_masks)[None]
    return jnp.where(hidden, 0.0, spectrogram)


def _spans(rng: Key[Array, ""], size: int, number: int, width: int) -> Array:
    """bool [size]: True in `number` random spans, each of length 0 to width - 1."""
    if not number or not width:
        return jnp.zeros(size, bool)
    length_rng, start_rng = jax.random.split(rng)
    lengths = jax.random.randint(length_rng, (number, 1), 0, width)
    starts = jax.random.uniform(start_rng, (number, 1)) * (size - lengths + 1)
    starts = jnp.floor(starts).astype(jnp.int32)
    positions = jnp.arange(size)[None]
    return ((positions >= starts) & (positions < starts + lengths)).any(axis=0)


def _check(name: str, masks: Sequence[int], size: int) -> None:
    if masks[1] > size:
        raise ConfigError(
            f"spec_augment.{name} is (number, width), with a width up to {size} for these "
            f"spectrograms; got {tuple(masks)}."
        )
