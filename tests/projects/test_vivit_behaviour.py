"""What the ViViT models promise beyond the public implementation's outputs."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.vivit.model import (
    FactorisedDotProduct,
    FactorisedEncoder,
    FactorisedSelfAttention,
    FrameAverage,
    SpatioTemporalAttention,
    ViT,
)
from tests.helpers.drawn import clip, leaves, start
from tests.helpers.from_config import from_config

SIZE: dict[str, Any] = {"hidden_size": 32, "mlp_dim": 64, "num_layers": 1, "num_heads": 4}
TINY: dict[str, Any] = SIZE | {"num_classes": 10}
IMAGE: dict[str, Any] = TINY | {"patch_size": (8, 8)}
VIDEO: dict[str, Any] = TINY | {"tubelet_size": (2, 8, 8)}
VIDEO_CLASSES: list[Any] = [
    SpatioTemporalAttention,
    functools.partial(FactorisedEncoder, temporal_num_layers=1),
    FactorisedSelfAttention,
    FactorisedDotProduct,
    FrameAverage,
]


def shapes_of(model, rgb_shape):
    """Parameter path -> shape, without allocating anything."""
    rgb = jax.ShapeDtypeStruct(rgb_shape, np.float32)
    variables: Any = jax.eval_shape(lambda rgb: model.init(jax.random.key(0), rgb=rgb), rgb)
    return {path: list(leaf.shape) for path, leaf in leaves(variables["params"]).items()}


def test_a_new_model_predicts_nothing_yet_but_its_bias():
    model: Any = ViT(**IMAGE, head_bias_init=-10.0)
    output, _ = jax.jit(model.init_with_output)(jax.random.key(0), rgb=clip(2, 16, 16, 3))
    np.testing.assert_array_equal(output, np.full((2, 10), -10.0))


@pytest.mark.parametrize("model_class", VIDEO_CLASSES)
def test_every_parameter_gets_a_finite_gradient(model_class):
    model, rgb = model_class(**VIDEO), clip(2, 4, 16, 16, 3)
    loss = jax.jit(jax.grad(lambda variables: (model.apply(variables, rgb=rgb) ** 2).sum()))
    for path, leaf in leaves(loss(start(model, rgb=rgb))["params"]).items():
        assert np.isfinite(leaf).all(), path
        # Adding the same to all logits of a softmax changes nothing.
        assert "key/bias" in path or np.abs(leaf).max() > 0, path


def test_stochastic_depth_reaches_all_three_branches_of_factorised_self_attention():
    """At the last layer each is dropped half of the time: together an eighth, one example long."""
    fields: dict[str, Any] = VIDEO | {"num_layers": 2, "hidden_size": 8, "mlp_dim": 8}
    model: Any = FactorisedSelfAttention(**fields, stochastic_depth_rate=0.5)
    rgb = jnp.broadcast_to(clip(1, 2, 16, 16, 3), (400, 2, 16, 16, 3))
    apply = jax.jit(functools.partial(model.apply, train=True))
    output = apply(start(model, rgb=rgb), rgb=rgb, rngs={"dropout": jax.random.key(0)})
    kinds, counts = np.unique(np.round(output, 4), axis=0, return_counts=True)
    assert len(kinds) == 8
    assert 25 < counts.min() and counts.max() < 75


@pytest.mark.parametrize("model_class", VIDEO_CLASSES)
def test_bfloat16_stays_close_to_float32_and_its_logits_are_float32(model_class):
    rgb = clip(2, 4, 16, 16, 3)
    full, half = model_class(**VIDEO), model_class(**VIDEO, dtype="bfloat16")
    variables = start(full, rgb=rgb)
    expected, output = (jax.jit(m.apply)(variables, rgb=rgb) for m in (full, half))
    assert output.dtype == jnp.float32
    assert 0 < np.abs(output - expected).max() < 0.02 * np.abs(expected).max()


def test_time_attention_that_starts_at_zero_leaves_an_image_model():
    """Frames do not see each other at first, and yet the zero kernel gets a gradient."""
    model: Any = FactorisedSelfAttention(**VIDEO)
    rgb = clip(1, 4, 16, 16, 3)
    initial: Any = jax.jit(model.init)(jax.random.key(0), rgb=rgb)
    start_of_time = "Transformer/encoderblock_0/MultiHeadDotProductAttention_time/"
    flat = leaves(initial["params"])
    assert (flat[start_of_time + "out/kernel"] == 0).all()
    assert (flat[start_of_time + "query/kernel"] != 0).all()

    @jax.jit
    def tokens(rgb):
        _, state = model.apply(initial, rgb=rgb, capture_intermediates=True)
        encoded = state["intermediates"]["Transformer"]["__call__"][0]
        return encoded.reshape(2, 4, 32)

    other = rgb.at[:, 2:].set(0.5)
    np.testing.assert_array_equal(tokens(rgb)[0], tokens(other)[0])
    assert np.abs(tokens(rgb)[1] - tokens(other)[1]).max() > 0.1

    def loss(params):
        params = params | {
            "output_projection": {"kernel": jnp.ones((32, 10)), "bias": jnp.ones(10)}
        }
        return (model.apply({"params": params}, rgb=rgb) ** 2).sum()

    gradient = leaves(jax.jit(jax.grad(loss))(initial["params"]))
    assert np.abs(gradient[start_of_time + "out/kernel"]).max() > 0


def test_factorised_dot_product_heads_attend_only_over_their_axis():
    """With the heads over space cut off at the output, frames mix only at the same place."""
    model: Any = FactorisedDotProduct(**VIDEO)
    rgb = clip(1, 4, 16, 16, 3)
    variables = start(model, rgb=rgb)
    block = variables["params"]["Transformer"]["encoderblock_0"]
    block["MultiHeadDotProductAttention_0"]["out"]["kernel"][2:] = 0

    @jax.jit
    def tokens(rgb):
        _, state = model.apply(variables, rgb=rgb, capture_intermediates=True)
        return state["intermediates"]["Transformer"]["__call__"][0].reshape(2, 4, 32)

    changed = np.abs(tokens(rgb) - tokens(rgb.at[:, :2, :8, :8].set(0.5))).max(axis=-1) > 0
    assert changed.tolist() == [[True, False, False, False]] * 2


@pytest.mark.parametrize("model_class", VIDEO_CLASSES)
@pytest.mark.parametrize("positions", ["sinusoidal", "sinusoidal_1d", "none"])
def test_fixed_positions_need_no_parameters(model_class, positions):
    fields: dict[str, Any] = VIDEO | {"hidden_size": 24, "positions": positions}
    shapes = shapes_of(model_class(**fields), (1, 4, 16, 16, 3))
    assert not any("pos" in path for path in shapes)


@pytest.mark.parametrize("classifier", ["gap", "gmp", "gsp"])
def test_pooling_is_over_tokens(classifier):
    model = SpatioTemporalAttention(**VIDEO, classifier=classifier)
    rgb = clip(1, 4, 16, 16, 3)
    variables = start(model, rgb=rgb)
    _, state = jax.jit(functools.partial(model.apply, capture_intermediates=True))(
        variables, rgb=rgb
    )
    tokens = state["intermediates"]["Transformer"]["__call__"][0]
    pool = {"gap": jnp.mean, "gmp": jnp.max, "gsp": jnp.sum}[classifier]
    features = state["intermediates"]["features"][0]
    np.testing.assert_allclose(features, pool(tokens, axis=1), atol=1e-5)


def test_a_video_of_one_frame_is_an_image():
    model, image = ViT(**IMAGE), clip(2, 16, 16, 3)
    variables, apply = start(model, rgb=image), jax.jit(model.apply)
    np.testing.assert_array_equal(apply(variables, rgb=image[:, None]), apply(variables, rgb=image))
    with pytest.raises(ValueError, match="clips of 4 frames"):
        model.apply(variables, rgb=clip(2, 4, 16, 16, 3))


def test_a_model_from_json_is_the_same_model():
    again = SpatioTemporalAttention(**dict(VIDEO, tubelet_size=[2, 8, 8]))
    assert again == SpatioTemporalAttention(**VIDEO)
    assert hash(again) == hash(again.clone())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: from_config(ViT, **IMAGE, classifier="tokn"), "classifier is 'tokn'"),
        (lambda: from_config(FactorisedEncoder, **VIDEO, classifier="map"), "classifier is 'map'"),
        (
            lambda: from_config(FactorisedSelfAttention, **VIDEO, classifier="token"),
            "'gap' or 'gmp' or 'gsp'",
        ),
        (
            lambda: from_config(FactorisedSelfAttention, **VIDEO, attention_order="space"),
            "attention_order",
        ),
        (
            lambda: from_config(FactorisedSelfAttention, **VIDEO, time_attention_start="one"),
            "'one'",
        ),
        (
            lambda: from_config(FactorisedDotProduct, **dict(VIDEO, num_heads=1)),
            "even num_heads; got num_heads=1",
        ),
        (lambda: from_config(ViT, **IMAGE, positions="sincos"), "positions is 'sincos'"),
        (lambda: from_config(ViT, **IMAGE, dtype="float16"), "dtype is 'float16'"),
    ],
)
def test_a_field_that_no_model_has_is_an_error_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ({"num_heads": 5}, (1, 4, 16, 16, 3), "32 is not divisible by 5 heads"),
        ({}, (1, 5, 16, 16, 3), "5 frames cannot be split into tubelets of 2"),
        ({}, (1, 4, 7, 16, 3), r"\(2, 8, 8\) does not fit into an input of \(4, 7, 16\)"),
        ({"uniform_frames": 2}, (1, 4, 16, 16, 3), "tubelets of one frame"),
        ({"uniform_frames": 5, "tubelet_size": (1, 8, 8)}, (1, 4, 16, 16, 3), "5 frames"),
        ({"positions": "sinusoidal"}, (1, 4, 16, 16, 3), "divisible by 6; got 32"),
    ],
)
def test_an_input_that_does_not_fit_the_model_is_an_error(fields, shape, message):
    with pytest.raises(ValueError, match=message):
        shapes_of(SpatioTemporalAttention(**(VIDEO | fields)), shape)
