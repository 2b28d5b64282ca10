"""Which layer a parameter belongs to, by its path."""

import jax.numpy as jnp
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from scenic_video.layer_decay import layer_scales


def scales_of(paths, layer_decay=0.5):
    params = unflatten_dict({path: jnp.ones(2) for path in paths}, sep="/")
    return flatten_dict(layer_scales(params, layer_decay), sep="/")


def test_streams_share_their_layers_and_an_encoder_over_them_continues():
    layers = {
        "embedding_rgb/kernel": 0,
        "Encoder_modality_token_rgb": 0,
        "clsspectrogram": 0,
        "Transformer_rgb/posembed_input/pos_embedding": 0,
        "Transformer_rgb/encoderblock_0/x": 1,
        "Transformer_rgb/encoderblock_1/x": 2,
        "MultiviewEncoder/encoderblock_1_view0/x": 2,
        "Transformer/encoderblock_1_spec/x": 2,
        "Transformer_concat/posembed_input/pos_embedding": 2,
        "Transformer_concat/encoderblock_0/x": 3,
        "Transformer_concat/encoder_norm/scale": 4,
        "Decoder/encoderblock_0/x": 4,
        "bottleneck": 4,
        "output_projection/kernel": 4,
    }
    assert scales_of(layers) == {path: 0.5 ** (4 - layer) for path, layer in layers.items()}


def test_the_temporal_transformer_of_a_factorised_encoder_continues_the_spatial_one():
    scales = scales_of(
        ["SpatialTransformer/encoderblock_2/x", "TemporalTransformer/encoderblock_1/x"]
        + ["cls_SpatialTransformer", "cls_TemporalTransformer"]
    )
    assert list(scales.values()) == [0.5**3, 0.5, 0.5**6, 0.5**3]


def test_a_model_without_layers_is_an_error():
    with pytest.raises(ValueError, match="needs parameters of layers.*found .*'head'"):
        scales_of(["head"])
