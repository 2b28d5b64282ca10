"""The encoder and its parts."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.layers.attention import MultiHeadDotProductAttention
from scenic_video.layers.transformer import Encoder, EncoderBlock, MlpBlock, StochasticDepth

BLOCK: Any = functools.partial(EncoderBlock, mlp_dim=16, num_heads=2)


def tokens(*shape):
    return jax.random.normal(jax.random.key(7), shape)


def start(module, x):
    """Variables of the right shapes without compiling `init`."""
    numbers = np.random.default_rng(0)
    shapes = jax.eval_shape(module.init, jax.random.key(0), x)
    return jax.tree.map(lambda v: jnp.asarray(0.3 * numbers.normal(size=v.shape), v.dtype), shapes)


def trained(module, variables, x, seed=3):
    """The output in training."""
    apply = jax.jit(functools.partial(module.apply, train=True))
    return apply(variables, x, rngs={"dropout": jax.random.key(seed)})


def evaluated(module: Any, branch):
    return module.apply({}, branch)


def dropped(module: Any, branch, seed=0):
    return module.apply({}, branch, train=True, rngs={"dropout": jax.random.key(seed)})


@pytest.mark.parametrize("shape", [(2000, 3), (2000, 2, 3, 4)])
def test_stochastic_depth_drops_whole_examples_and_keeps_the_expectation(shape):
    output = np.asarray(dropped(StochasticDepth(0.3), jnp.ones(shape)))
    values = output.reshape(len(output), -1)
    assert (values == values[:, :1]).all()
    np.testing.assert_allclose(np.unique(values), [0, 1 / 0.7], rtol=1e-6)
    assert abs(output.mean() - 1) < 0.05


def test_stochastic_depth_without_rescale_is_the_public_vivits():
    output = dropped(StochasticDepth(0.5, rescale=False), jnp.ones((2000, 3)))
    assert set(np.unique(output)) == {0.0, 1.0}
    assert abs(output.mean() - 0.5) < 0.05


def test_stochastic_depth_is_off_in_evaluation_and_at_rate_zero():
    branch = tokens(4, 3)
    np.testing.assert_array_equal(evaluated(StochasticDepth(0.5), branch), branch)
    np.testing.assert_array_equal(dropped(StochasticDepth(0.0), branch), branch)


def test_a_rate_of_one_is_an_error():
    with pytest.raises(ValueError, match="rate is 1.0; wanted a number from 0 up and below 1"):
        dropped(StochasticDepth(1.0), jnp.ones((2, 2)))


def test_the_rate_grows_linearly_from_zero_to_that_of_the_last_layer():
    rates = []

    def block(*, stochastic_depth_rate, name):
        rates.append(stochastic_depth_rate)
        return BLOCK(stochastic_depth_rate=stochastic_depth_rate, name=name)

    encoder = Encoder(num_layers=4, block=block, stochastic_depth_rate=0.3)
    jax.eval_shape(encoder.init, jax.random.key(0), tokens(1, 2, 8))
    np.testing.assert_allclose(rates, [0, 0.1, 0.2, 0.3])


def test_a_single_layer_has_rate_zero():
    encoder = Encoder(num_layers=1, block=BLOCK, stochastic_depth_rate=0.9)
    x = tokens(2, 3, 8)
    variables = start(encoder, x)
    expected = jax.jit(encoder.apply)(variables, x)
    np.testing.assert_allclose(trained(encoder, variables, x), expected, atol=1e-6)


def test_attention_and_mlp_are_dropped_apart_from_each_other():
    block = BLOCK(stochastic_depth_rate=0.5, rescale_kept_branches=False)
    x = tokens(200, 1, 3, 8)
    output = trained(block, start(block, x), x)
    unchanged = float((jnp.abs(output - x).max(axis=(1, 2, 3)) == 0).mean())
    assert 0.15 < unchanged < 0.35


def test_frame_axes_are_batch_axes():
    x = tokens(2, 3, 5, 8)
    encoder = Encoder(num_layers=2, block=BLOCK)
    variables, apply = start(encoder, x), jax.jit(encoder.apply)
    by_frame = jnp.stack([apply(variables, x[:, t]) for t in range(3)], axis=1)
    np.testing.assert_allclose(apply(variables, x), by_frame, atol=1e-5)


def test_blocks_start_with_xavier_kernels_and_tiny_mlp_biases():
    mlp: Any = MlpBlock(mlp_dim=400)
    params = mlp.init(jax.random.key(0), tokens(1, 200))["params"]
    limit = np.sqrt(6 / 600)
    kernel = params["Dense_0"]["kernel"]
    assert 0.99 * limit < np.abs(kernel).max() <= limit
    assert 0.8e-6 < params["Dense_0"]["bias"].std() < 1.2e-6
    attention: Any = MultiHeadDotProductAttention(num_heads=2)
    query = attention.init(jax.random.key(0), tokens(1, 2, 200))["params"]["query"]["kernel"]
    limit = np.sqrt(6 / 400)
    assert 0.99 * limit < np.abs(query).max() <= limit


def test_remat_changes_neither_names_nor_gradients():
    rates: dict[str, Any] = {"stochastic_depth_rate": 0.3, "dropout_rate": 0.1}
    plain = Encoder(num_layers=2, block=BLOCK, **rates)
    remat = Encoder(num_layers=2, block=BLOCK, remat=True, **rates)
    x = tokens(4, 5, 8)
    variables = start(plain, x)
    assert jax.tree.structure(variables) == jax.tree.structure(start(remat, x))

    def gradient(encoder):
        return jax.jit(jax.grad(lambda variables: (trained(encoder, variables, x) ** 2).sum()))

    expected, gradients = gradient(plain)(variables), gradient(remat)(variables)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), gradients, expected)
    program = str(jax.make_jaxpr(gradient(remat))(variables))
    assert program.count("remat2[") + program.count("checkpoint[") == 2


def test_the_residual_stream_stays_float32_under_bfloat16_blocks():
    x = tokens(2, 5, 8)
    encoder = Encoder(num_layers=3, block=BLOCK)
    half = Encoder(num_layers=3, block=functools.partial(BLOCK, dtype="bfloat16"))
    variables = start(half, x.astype(jnp.bfloat16))
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    output, expected = (jax.jit(m.apply)(variables, x) for m in (half, encoder))
    assert output.dtype == jnp.float32
    assert 0 < np.abs(output - expected).max() < 0.05


def test_gelu_and_epsilon_are_those_asked_for():
    small = tokens(2, 3, 8) * 1e-3
    outputs = []
    for exact_gelu, norm_epsilon in ((False, 1e-6), (True, 1e-6), (True, 1e-12)):
        block = EncoderBlock(16, 2, exact_gelu=exact_gelu, norm_epsilon=norm_epsilon)
        variables = block.init(jax.random.key(0), small)
        outputs.append(np.asarray(block.apply(variables, small)))
    assert 1e-6 < np.abs(outputs[1] - outputs[0]).max() < 1e-2
    assert np.abs(outputs[2] - outputs[1]).max() > 1e-2  # the variance of these tokens is 1e-6
