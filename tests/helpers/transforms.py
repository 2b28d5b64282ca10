"""Transforms of batches that hold spectrograms already."""

import jax.numpy as jnp


def to_inputs(inputs, *, rng, train):
    """As the transform of a dataset with sound, the spectrogram being there already."""
    arrays = {name: x for name, x in inputs.items() if name != "has_sound"}
    if "has_sound" not in inputs:
        return arrays
    sound = inputs["has_sound"]
    return arrays | {"presence": {"rgb": jnp.ones_like(sound), "spectrogram": sound}}
