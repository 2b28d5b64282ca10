"""Attention against formulas and against JAX's own."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.layers.attention import (
    Conditions,
    MultiHeadDotProductAttention,
    attention,
    why_not,
)

CUDA = Conditions(platform="cuda", dtype=jnp.bfloat16, depth=64, compute_capability=9.0)


def random_qkv(shape, *, keys=None, dtype=jnp.float32):
    rngs = jax.random.split(jax.random.key(0), 3)
    key_shape = shape if keys is None else (*shape[:-3], keys, *shape[-2:])
    shapes = (shape, key_shape, key_shape)
    return [jax.random.normal(r, s, dtype) for r, s in zip(rngs, shapes, strict=True)]


def exact(query, key, value):
    """The textbook formula in float64."""
    query, key, value = (np.asarray(x, np.float64) for x in (query, key, value))
    logits = np.einsum("...qhd,...khd->...hqk", query, key) / np.sqrt(query.shape[-1])
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return np.einsum("...hqk,...khd->...qhd", weights, value)


@pytest.mark.parametrize("shape", [(5, 2, 8), (2, 5, 2, 8), (2, 3, 5, 2, 8)])
def test_attention_is_the_formula_for_any_leading_axes(shape):
    qkv = random_qkv(shape, keys=7)
    np.testing.assert_allclose(attention(*qkv), exact(*qkv), atol=2e-6)


def test_attention_equals_that_of_jax_and_so_do_its_gradients():
    qkv = random_qkv((2, 9, 4, 16))

    def loss(function):
        return jax.jit(jax.grad(lambda *x: (function(*x) ** 2).sum(), argnums=(0, 1, 2)))

    ours, theirs = loss(attention)(*qkv), loss(jax.nn.dot_product_attention)(*qkv)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("depth", [64, 80])
def test_bfloat16_is_as_exact_as_that_of_jax(depth):
    qkv = random_qkv((2, 196, 2, depth), dtype=jnp.bfloat16)
    error = np.abs(np.asarray(attention(*qkv), np.float64) - exact(*qkv)).mean()
    reference = np.asarray(jax.nn.dot_product_attention(*qkv), np.float64)
    assert attention(*qkv).dtype == jnp.bfloat16
    assert error <= 1.1 * np.abs(reference - exact(*qkv)).mean()


def test_large_logits_do_not_overflow():
    query, key, value = random_qkv((1, 6, 1, 8))
    assert np.isfinite(attention(100 * query, 100 * key, value)).all()


def test_capped_logits_bend_towards_the_cap_and_stay_below_it():
    query, value = jnp.full((1, 1, 1), 3.0), jnp.array([0.0, 1.0]).reshape(2, 1, 1)
    key = jnp.array([0.0, 5.0]).reshape(2, 1, 1)  # logits 0 and 15
    expected = 1 / (1 + np.exp(-4 * np.tanh(15 / 4)))
    np.testing.assert_allclose(attention(query, key, value, logit_cap=4.0), expected, rtol=1e-6)


@pytest.mark.parametrize("frames", [(), (3,)])
def test_a_masked_key_is_as_good_as_gone_and_none_at_all_is_a_plain_mean(frames):
    query, key, value = random_qkv((2, *frames, 5, 2, 8), keys=7)
    mask = jnp.broadcast_to(jnp.arange(7) < 4, (2, *frames, 7))
    few = exact(query, key[..., :4, :, :], value[..., :4, :, :])
    output = attention(query, key, value, key_mask=mask)
    np.testing.assert_allclose(output, few, atol=2e-6)
    mean = np.broadcast_to(np.asarray(value).mean(axis=-3, keepdims=True), output.shape)
    nothing = attention(query, key, value, key_mask=jnp.zeros_like(mask))
    np.testing.assert_allclose(nothing, mean, atol=2e-6)


def test_dropout_keeps_the_expectation():
    qkv = random_qkv((4, 2, 4))
    rngs = jax.random.split(jax.random.key(1), 4000)
    dropped = jax.vmap(lambda rng: attention(*qkv, dropout_rate=0.3, dropout_rng=rng))(rngs)
    assert np.abs(dropped[0] - dropped[1]).max() > 0.1
    np.testing.assert_allclose(dropped.mean(axis=0), attention(*qkv), atol=0.06)


def test_dropout_without_a_key_is_an_error():
    with pytest.raises(ValueError, match="dropout_rng"):
        attention(*random_qkv((4, 2, 4)), dropout_rate=0.5)


def test_xla_is_always_legal_and_cudnn_where_its_rules_hold():
    cpu = Conditions(platform="cpu", dtype=jnp.float32, depth=3, dropout_rate=0.5)
    assert why_not("xla", cpu) is None
    assert why_not("cudnn", CUDA) is None
    assert why_not("cudnn", dataclasses.replace(CUDA, depth=256)) is None
    assert why_not("cudnn", dataclasses.replace(CUDA, masked=(6, 8))) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"platform": "tpu"}, "runs on tpu"),
        ({"dtype": jnp.float32}, "not float32"),
        ({"depth": 20}, "multiple of 8"),
        ({"depth": 256, "compute_capability": 8.0}, "up to 128"),
        ({"dropout_rate": 0.1}, "dropout"),
        ({"capped": True}, "cannot cap"),
        ({"token_shards": 2}, "over 2 devices"),
        ({"masked": (6, 197)}, "even lengths; this one is 6 x 197"),
    ],
)
def test_why_not_names_the_rule_that_is_broken(change, reason):
    assert reason in (why_not("cudnn", dataclasses.replace(CUDA, **change)) or "")


def test_an_implementation_that_cannot_run_here_is_an_error():
    with pytest.raises(ValueError, match="runs on cpu.*'auto'"):
        attention(*random_qkv((4, 2, 8), dtype=jnp.bfloat16), implementation="cudnn")
    with pytest.raises(ValueError, match="'flash'.*no such"):
        attention(*random_qkv((4, 2, 8)), implementation="flash")


def test_the_module_has_the_public_parameters_and_attends_across_widths():
    module = MultiHeadDotProductAttention(num_heads=4)
    queries, memory = jnp.ones((2, 3, 32)), jnp.ones((2, 5, 24))
    output, variables = module.init_with_output(jax.random.key(0), queries, memory)
    shapes = jax.tree.map(jnp.shape, variables["params"])
    assert output.shape == (2, 3, 32)
    assert shapes["query"] == {"kernel": (32, 4, 8), "bias": (4, 8)}
    assert shapes["key"] == shapes["value"] == {"kernel": (24, 4, 8), "bias": (4, 8)}
    assert shapes["out"] == {"kernel": (4, 8, 32), "bias": (32,)}


def test_heads_that_do_not_divide_the_width_are_an_error():
    with pytest.raises(ValueError, match="30 is not divisible by 4 heads"):
        MultiHeadDotProductAttention(num_heads=4).init(jax.random.key(0), jnp.ones((1, 2, 30)))


def test_tokens_may_lie_over_the_devices_of_a_mesh():
    mesh = jax.make_mesh((2, 2), ("data", "seq"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    qkv = random_qkv((2, 8, 2, 8))
    spec = jax.NamedSharding(mesh, jax.P("data", "seq"))
    with jax.set_mesh(mesh):
        output = jax.jit(attention)(*jax.device_put(qkv, spec))
    np.testing.assert_allclose(output, exact(*qkv), atol=2e-6)
