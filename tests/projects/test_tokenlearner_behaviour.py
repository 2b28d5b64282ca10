"""What TokenLearner promises beyond the public implementation's outputs."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.tokenlearner.model import PoolingViT, TokenLearnerViT, TokenLearnerViViT
from scenic_video.layers.token_learner import (
    TokenFuser,
    TokenLearnerCrossAttention,
    TokenLearnerModule,
    TokenLearnerModuleV11,
)
from tests.helpers.drawn import clip, leaves, start
from tests.helpers.from_config import from_config

SIZE: dict[str, Any] = {"hidden_size": 32, "mlp_dim": 64, "num_layers": 3, "num_heads": 4}
TINY: dict[str, Any] = SIZE | {"num_classes": 10, "num_tokens": 2, "token_learner_at": 1}
IMAGE: dict[str, Any] = TINY | {"patch_size": (8, 8)}
VIDEO: dict[str, Any] = TINY | {"tubelet_size": (2, 8, 8)}
POOLED: dict[str, Any] = SIZE | {"num_classes": 10, "patch_size": (8, 8)}
LEARNERS = {
    "v1": TokenLearnerModule(num_tokens=2),
    "v1.1": TokenLearnerModuleV11(num_tokens=2),
    "cross_attention": TokenLearnerCrossAttention(num_tokens=2, num_heads=4),
}
NAMES = {kind: f"{type(module).__name__}_0" for kind, module in LEARNERS.items()}
NOT_SQUARE = (2, 4, 16, 24, 3)


def with_maps(module, variables, *args, **kwargs):
    """Output, and what was sown."""
    apply = functools.partial(module.apply, mutable=["intermediates"])
    output, state = jax.jit(apply)(variables, *args, **kwargs)
    return output, state["intermediates"]


@pytest.mark.parametrize("kind", LEARNERS)
def test_every_parameter_gets_a_finite_gradient_on_grids_that_are_not_square(kind):
    fields: dict[str, Any] = VIDEO | {"num_layers": 1, "token_learner_at": 0}
    model: Any = TokenLearnerViViT(**fields, token_learner=kind, token_fuser=True)
    rgb = clip(*NOT_SQUARE)
    loss = jax.jit(jax.grad(lambda variables: (model.apply(variables, rgb=rgb) ** 2).sum()))
    for path, leaf in leaves(loss(start(model, rgb=rgb))["params"]).items():
        assert np.isfinite(leaf).all(), path
        # Adding the same to all logits of a softmax changes nothing.
        shift = "key/bias" in path or "V11_0/token_masking/Dense_1/bias" in path
        assert shift or np.abs(leaf).max() > 0, path


@pytest.mark.parametrize("kind", LEARNERS)
def test_maps_say_where_every_token_of_every_frame_looked(kind):
    fields: dict[str, Any] = VIDEO | {"num_layers": 1, "token_learner_at": 0}
    model, rgb = TokenLearnerViViT(**fields, token_learner=kind), clip(*NOT_SQUARE)
    _, sown = with_maps(model, start(model, rgb=rgb), rgb=rgb)
    (maps,) = sown["Transformer"][NAMES[kind]]["maps"]
    assert maps.shape == (2, 2, 2, 3, 2)  # b t h w s
    assert maps.min() > 0 and maps.max() < 1
    if kind != "v1":
        np.testing.assert_allclose(maps.sum(axis=(2, 3)), 1, rtol=1e-5)


@pytest.mark.parametrize("kind", ["v1", "v1.1"])
def test_a_token_is_the_input_summed_under_its_map(kind):
    grid = clip(2, 3, 5, 8)
    tokens, sown = with_maps(LEARNERS[kind], start(LEARNERS[kind], grid), grid)
    expected = np.einsum("bhws,bhwd->bsd", sown["maps"][0], grid)
    np.testing.assert_allclose(tokens, expected, atol=1e-5)


def test_a_token_of_cross_attention_is_the_values_summed_under_its_map():
    grid, module = clip(2, 3, 5, 8), TokenLearnerCrossAttention(num_tokens=2, num_heads=1)
    variables = start(module, grid)
    tokens, sown = with_maps(module, variables, grid)
    params = variables["params"]
    norm, weights = params["LayerNorm_0"], params["MultiHeadDotProductAttention_0"]
    normalised = (grid - grid.mean(-1, keepdims=True)) / np.sqrt(grid.var(-1, keepdims=True) + 1e-6)
    normalised = np.asarray(normalised) * norm["scale"] + norm["bias"]
    value = normalised @ weights["value"]["kernel"][:, 0] + weights["value"]["bias"][0]
    mixed = np.einsum("bhws,bhwd->bsd", sown["maps"][0], value)
    expected = mixed @ weights["out"]["kernel"][0] + weights["out"]["bias"]
    np.testing.assert_allclose(tokens, expected, atol=1e-5)


def test_the_mean_of_v1_is_its_sum_over_all_positions():
    grid, variables = clip(2, 3, 5, 8), start(LEARNERS["v1"], clip(2, 3, 5, 8))
    total, mean = (
        jax.jit(TokenLearnerModule(num_tokens=2, pooling=pooling).apply)(variables, grid)
        for pooling in ("sum", "mean")
    )
    np.testing.assert_allclose(np.asarray(mean), np.asarray(total) / 15, rtol=1e-5)


@pytest.mark.parametrize("kind", LEARNERS)
def test_each_frame_is_summarised_by_itself(kind):
    grid, learner = clip(1, 2, 3, 5, 32), LEARNERS[kind]
    apply = functools.partial(jax.jit(learner.apply), start(learner, grid))
    both, other = apply(grid), apply(grid.at[:, 1].set(0.5))
    np.testing.assert_allclose(both[:, 0], other[:, 0], atol=1e-6)
    assert np.abs(both[:, 1] - other[:, 1]).max() > 0.01
    np.testing.assert_allclose(both[:, 0], apply(grid[:, :1])[:, 0], atol=1e-5)


def test_a_fuser_starts_by_adding_nothing():
    tokens, grid = clip(1, 2, 2, 16), clip(1, 2, 2, 3, 16)
    for width in (8, None):
        added, _ = TokenFuser(bottleneck_dim=width).init_with_output(
            jax.random.key(0), tokens, grid
        )
        np.testing.assert_array_equal(added, np.zeros_like(grid))


def num_tokens_after(model):
    """Of each block, and of the encoder, for a clip that is not square."""

    def run(rgb):
        apply = functools.partial(model.apply, capture_intermediates=True)
        return apply(model.init(jax.random.key(0), rgb=rgb), rgb=rgb)[1]["intermediates"]

    inside = jax.eval_shape(run, jax.ShapeDtypeStruct(NOT_SQUARE, np.float32))["Transformer"]
    blocks = [inside[f"encoderblock_{layer}"] for layer in range(3)]
    return [output["__call__"][0].shape[1] for output in (*blocks, inside)]


def test_extra_layers_come_last_and_process_learned_tokens():
    fields: dict[str, Any] = VIDEO | {"num_layers": 2}
    assert num_tokens_after(TokenLearnerViViT(**fields, num_extra_layers=1)) == [12, 4, 4, 4]


def test_a_fuser_keeps_the_grid_and_blocks_process_learned_tokens():
    assert num_tokens_after(TokenLearnerViViT(**VIDEO, token_fuser=True)) == [12, 4, 4, 12]


@pytest.mark.parametrize("kind", LEARNERS)
def test_bfloat16_stays_close_to_float32_and_its_logits_are_float32(kind):
    fields: dict[str, Any] = VIDEO | {"num_layers": 1, "token_learner_at": 0, "token_fuser": True}
    full: Any = TokenLearnerViViT(**fields, token_learner=kind)
    half = full.clone(dtype="bfloat16")
    rgb = clip(*NOT_SQUARE)
    variables = start(full, rgb=rgb)
    expected, output = (jax.jit(m.apply)(variables, rgb=rgb) for m in (full, half))
    assert output.dtype == jnp.float32
    assert 0 < np.abs(output - expected).max() < 0.03 * np.abs(expected).max()


@pytest.mark.slow
def test_remat_changes_no_gradient():
    rgb = clip(1, 2, 16, 16, 3)
    fields: dict[str, Any] = VIDEO | {"num_layers": 1, "token_learner_at": 0}
    models: list[Any] = [TokenLearnerViViT(**fields, remat=remat) for remat in (False, True)]
    variables = start(models[0], rgb=rgb)
    losses = [lambda v, m=m: (m.apply(v, rgb=rgb) ** 2).sum() for m in models]
    plain, remat = (leaves(jax.jit(jax.grad(loss))(variables)) for loss in losses)
    for path in plain:
        np.testing.assert_allclose(plain[path], remat[path], atol=1e-5, rtol=1e-4)


def test_stochastic_depth_drops_whole_examples_in_training_only():
    fields: dict[str, Any] = VIDEO | {"num_layers": 2, "stochastic_depth_rate": 0.5}
    model, rgb = TokenLearnerViViT(**fields), jnp.tile(clip(1, 2, 16, 16, 3), (64, 1, 1, 1, 1))
    variables = start(model, rgb=rgb)
    apply = jax.jit(model.apply, static_argnames="train")
    trained = apply(variables, rgb=rgb, train=True, rngs={"dropout": jax.random.key(0)})
    assert len(np.unique(np.round(trained, 4), axis=0)) == 4  # two branches, kept or not
    assert len(np.unique(np.round(apply(variables, rgb=rgb), 4), axis=0)) == 1


@pytest.mark.parametrize(
    "model",
    [TokenLearnerViT(**IMAGE), PoolingViT(**POOLED, pool_at=(1,), pool_windows=(2,))],
)
def test_a_video_of_one_frame_is_an_image(model):
    image = clip(2, 16, 32, 3)
    variables, apply = start(model, rgb=image), jax.jit(model.apply)
    np.testing.assert_array_equal(apply(variables, rgb=image[:, None]), apply(variables, rgb=image))
    with pytest.raises(ValueError, match="clips of 4 frames"):
        model.apply(variables, rgb=clip(2, 4, 16, 16, 3))


def test_pooling_averages_neighbours():
    model = PoolingViT(**POOLED, pool_at=(0, 2), pool_windows=(2, 3))
    rgb = clip(1, 48, 96, 3)
    apply = functools.partial(model.apply, capture_intermediates=True)
    _, state = jax.jit(apply)(start(model, rgb=rgb), rgb=rgb)
    inside = state["intermediates"]["Transformer"]
    (positioned,), (last,) = inside["posembed_input"]["__call__"], inside["__call__"]
    expected = positioned.reshape(3, 2, 6, 2, 32).mean(axis=(1, 3)).reshape(1, 18, 32)
    params = start(model, rgb=rgb)["params"]["Transformer"]["encoderblock_0"]["LayerNorm_0"]
    norm: Any = nn.LayerNorm().apply({"params": params}, expected)
    np.testing.assert_allclose(
        inside["encoderblock_0"]["LayerNorm_0"]["__call__"][0], norm, atol=1e-4
    )
    assert last.shape == (1, 2, 32)


def test_a_model_from_json_is_the_same_model():
    again = TokenLearnerViViT(**dict(VIDEO, tubelet_size=[2, 8, 8]))
    assert again == TokenLearnerViViT(**VIDEO)
    assert hash(again) == hash(again.clone())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: from_config(TokenLearnerViT, **IMAGE, classifier="token"),
            "'gap' or 'gmp' or 'gsp'",
        ),
        (
            lambda: from_config(TokenLearnerViT, **IMAGE, token_learner="v2"),
            "token_learner is 'v2'",
        ),
        (
            lambda: from_config(TokenLearnerViT, **IMAGE, token_pooling="max"),
            "token_pooling is 'max'",
        ),
        (
            lambda: from_config(TokenLearnerViT, **dict(IMAGE, token_learner_at=3)),
            "from 0 to 2; got token_learner_at=3",
        ),
        (lambda: from_config(TokenLearnerViT, **dict(IMAGE, num_tokens=0)), "num_tokens is 0"),
        (lambda: from_config(TokenLearnerViT, **IMAGE, bottleneck_dim=0), "bottleneck_dim is 0"),
        (
            lambda: from_config(TokenLearnerViT, **IMAGE, num_extra_layers=-1),
            "num_extra_layers is -1",
        ),
        (
            lambda: from_config(TokenLearnerViT, **IMAGE, token_fuser=True, fuser_bottleneck_dim=0),
            "fuser_bottleneck_dim is 0",
        ),
        (
            lambda: from_config(TokenLearnerViT, **IMAGE, token_pooling="mean"),
            "token_learner='v1' if token_pooling is set; got .*token_pooling='mean'",
        ),
        (
            lambda: from_config(TokenLearnerViT, **IMAGE, token_learner="v1", bottleneck_dim=8),
            "token_learner='v1.1' if bottleneck_dim is set",
        ),
        (
            lambda: from_config(TokenLearnerViT, **IMAGE, fuser_bottleneck_dim=8),
            "token_fuser=True if fuser_bottleneck_dim is set",
        ),
        (
            lambda: from_config(PoolingViT, **POOLED, pool_at=(2, 1), pool_windows=(2, 2)),
            "ascending",
        ),
        (
            lambda: from_config(PoolingViT, **POOLED, pool_at=(1,), pool_windows=(2, 2)),
            "a side of the window for each",
        ),
        (
            lambda: from_config(PoolingViT, **POOLED, pool_at=(3,), pool_windows=(2,)),
            r"\(3,\).* 0 to 2",
        ),
    ],
)
def test_a_field_that_no_model_has_is_an_error_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (TokenLearnerViViT(**VIDEO), (1, 5, 16, 16, 3), "5 frames cannot be split"),
        (PoolingViT(**POOLED, pool_at=(1,), pool_windows=(2,)), (1, 24, 16, 3), "of 2 .* 3 x 2"),
    ],
)
def test_an_input_that_does_not_fit_the_model_is_an_error(model, shape, message):
    with pytest.raises(ValueError, match=message):
        start(model, rgb=jnp.zeros(shape))
