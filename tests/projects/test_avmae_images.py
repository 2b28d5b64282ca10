"""Masked autoencoders of images, which are clips of one frame."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.avmae.finetuning.model import PretrainedViT
from projects.avmae.pretraining.model import MaskedAutoencoder

SIZE: dict[str, Any] = {"hidden_size": 12, "mlp_dim": 12, "num_layers": 1, "num_heads": 2}
DECODER = {f"decoder_{name}": value for name, value in SIZE.items()}
PATCHES: dict[str, Any] = {"patch_size": (4, 4), "positions": "sinusoidal"}
MODELS = {
    "pretraining": MaskedAutoencoder(**SIZE, **DECODER, **PATCHES, decoder_positions="sinusoidal"),
    "fine-tuning": PretrainedViT(**SIZE, **PATCHES, num_classes=3, head_bias_init=1.0),
}
IMAGES = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)


@pytest.mark.parametrize("name", MODELS)
def test_a_clip_of_one_frame_is_an_image(name):
    def answer(rgb):
        rngs = {"params": jax.random.key(0), "mask": jax.random.key(1)}
        return MODELS[name].init_with_output(rngs, rgb=rgb)

    images, clips = (jax.jit(answer)(x) for x in (IMAGES, IMAGES[:, None]))
    jax.tree.map(np.testing.assert_array_equal, images, clips)


@pytest.mark.parametrize("name", MODELS)
def test_longer_clips_are_no_images(name):
    clips = jnp.zeros((2, 4, 8, 8, 3))
    with pytest.raises(ValueError, match="single images; got clips of 4 frames"):
        jax.eval_shape(lambda: MODELS[name].init(jax.random.key(0), rgb=clips))
