"""Transforms of batches that hold spectrograms already."""

import jax.numpy as jnp


def to_inputs(inputs, *, rng, train):
    """As the transform of a dataset with audio, the spectrogram being there already."""
    arrays = {name: x for name, x in inputs.items() if name != "has_audio"}
    if "has_audio" not in inputs:
        return arrays
    audio = inputs["has_audio"]
    return arrays | {"presence": {"rgb": jnp.ones_like(audio), "audio": audio}}
