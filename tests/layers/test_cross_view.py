"""Which view learns of which, and how tokens of different grids are brought together."""

import zlib
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import path_aware_map

from scenic_video.layers.cross_view import align_tokens
from scenic_video.layers.multiview import MultiviewEncoder
from scenic_video.layers.view_fusion import Bottleneck, CrossViewAttention, Fusion, MLPFusion


@dataclass(frozen=True)
class Size:
    hidden_size: int
    mlp_dim: int
    num_layers: int
    num_heads: int
    space: str = "frame"


SIZES = (Size(8, 12, 1, 2), Size(12, 16, 1, 3), Size(16, 20, 1, 4))
GRIDS = ((1, 2, 2), (2, 2, 2), (4, 3, 2))
NOBODY = {(0, 0), (1, 1), (2, 2)}
FINER_NEIGHBOUR = NOBODY | {(0, 1), (1, 2)}
COARSER_NEIGHBOUR = NOBODY | {(1, 0), (2, 1)}
ALL_FINER = FINER_NEIGHBOUR | {(0, 2)}
ALL_COARSER = COARSER_NEIGHBOUR | {(2, 0)}
ONE: dict[str, Any] = {"layers": (0,)}
UP: dict[str, Any] = ONE | {"direction": "coarse_to_fine"}
NAMES = ["attention", "mlp"]


def encoder_of(fusion: Fusion | None, **fields: Any) -> MultiviewEncoder:
    defaults: dict[str, Any] = {"stochastic_depth_rate": 0.0, "block_fields": {}, "views": SIZES}
    return MultiviewEncoder(grids=GRIDS, class_tokens=True, fusion=fusion, **(defaults | fields))


def inputs_of(fusion):
    """Tokens of three views, and the bottleneck if the fusion has one."""
    random = np.random.default_rng(1)
    tokens = [
        jnp.asarray(random.normal(size=(2, 2, t * (h * w + 1), size.hidden_size)), jnp.float32)
        for (t, h, w), size in zip(GRIDS, SIZES, strict=True)
    ]
    if not isinstance(fusion, Bottleneck):
        return tokens, None
    width = SIZES[fusion.order(3)[0]].hidden_size
    bottleneck = random.normal(size=(2, 2, fusion.num_tokens, width))
    return tokens, jnp.asarray(bottleneck, jnp.float32)


def drawn(path, leaf):
    random = np.random.default_rng(zlib.crc32("/".join(path).encode()))
    return (0.3 * random.normal(size=leaf.shape)).astype(np.float32)


def readings(fusion, *, start, **fields):
    """(view, view that it learns of) in all layers, as the encoder starts or with any weights."""
    encoder, (tokens, bottleneck) = encoder_of(fusion, **fields), inputs_of(fusion)
    if start:
        variables: Any = jax.jit(encoder.init)(jax.random.key(0), tokens, bottleneck)
    else:
        shapes: Any = jax.eval_shape(encoder.init, jax.random.key(0), tokens, bottleneck)
        variables = path_aware_map(drawn, shapes)
    apply = jax.jit(lambda tokens: encoder.apply(variables, tokens, bottleneck))
    before: Any = apply(tokens)
    found = set()
    for source in range(3):
        other: Any = apply([x + (view == source) * jnp.cos(x) for view, x in enumerate(tokens)])
        changes = [np.abs(a - b).max() for a, b in zip(before, other, strict=True)]
        found |= {(view, source) for view, change in enumerate(changes) if change > 1e-5}
    return found


@pytest.mark.parametrize(
    ("fusion", "expected"),
    [
        (None, NOBODY),
        (CrossViewAttention(**ONE), FINER_NEIGHBOUR),
        (CrossViewAttention(**UP), COARSER_NEIGHBOUR),
        (CrossViewAttention(**ONE, sizes_from="key_value", cascade=True), ALL_FINER),
        (MLPFusion(**ONE), FINER_NEIGHBOUR),
        (MLPFusion(**UP), COARSER_NEIGHBOUR),
        (Bottleneck(**ONE), ALL_FINER),
        (Bottleneck(**UP), ALL_COARSER),
    ],
    ids=[
        "late",
        "attention-to-finer",
        "attention-to-coarser",
        "cascade",
        "mlp-of-finer",
        "mlp-of-coarser",
        "bottleneck-from-fine",
        "bottleneck-from-coarse",
    ],
)
def test_within_a_layer_a_view_learns_of(fusion, expected):
    assert readings(fusion, start=False) == expected


def test_a_layer_that_one_view_has_reads_what_others_left_in_the_bottlenecks():
    deeper = (*SIZES[:2], replace(SIZES[2], num_layers=2))
    fusion = Bottleneck(layers=(0, 1))
    fusion.check([size.num_layers for size in deeper])
    assert readings(fusion, start=False, views=deeper) == ALL_FINER | {(2, 0), (2, 1)}
    assert readings(Bottleneck(**ONE), start=False, views=deeper) == ALL_FINER


@pytest.mark.parametrize("fusion", [CrossViewAttention(**ONE), MLPFusion(**ONE)], ids=NAMES)
def test_the_model_starts_as_with_late_fusion(fusion):
    assert readings(fusion, start=True) == NOBODY


def test_mlp_fusion_adds_to_the_parameters_of_late_fusion():
    def paths(fusion):
        tokens, _ = inputs_of(fusion)
        variables: Any = jax.eval_shape(encoder_of(fusion).init, jax.random.key(0), tokens)
        flat, _ = jax.tree_util.tree_flatten_with_path(variables)
        return {(jax.tree_util.keystr(path), leaf.shape) for path, leaf in flat}

    added = paths(MLPFusion(**ONE)) - paths(None)
    assert paths(None) < paths(MLPFusion(**ONE))
    kernels = {path: shape for path, shape in added if path.endswith("['fusion']['kernel']")}
    assert sorted(kernels.values()) == [(12, 12), (16, 16)]  # width of the neighbour, own mlp_dim
    assert all("fusion" in path for path, _ in added)


@pytest.mark.slow
def test_remat_changes_no_gradient():
    fusion = CrossViewAttention(**ONE)
    tokens, _ = inputs_of(fusion)
    init: Any = jax.eval_shape(encoder_of(fusion).init, jax.random.key(0), tokens)
    variables: Any = path_aware_map(drawn, init)

    def gradient(remat):
        def loss(variables):
            output: Any = encoder_of(fusion, remat=remat).apply(variables, tokens)
            return sum((x**2).mean() for x in output)

        return jax.jit(jax.grad(loss))(variables)

    for a, b in zip(jax.tree.leaves(gradient(True)), jax.tree.leaves(gradient(False)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_training_drops_branches_by_key():
    fusion = CrossViewAttention(**ONE)
    tokens, _ = inputs_of(fusion)
    encoder = encoder_of(fusion, block_fields={"dropout_rate": 0.5})
    init: Any = jax.eval_shape(encoder.init, jax.random.key(0), tokens)
    variables: Any = path_aware_map(drawn, init)

    @jax.jit
    def train(seed):
        output: Any = encoder.apply(variables, tokens, train=True, rngs={"dropout": seed})
        return output[0]

    once, again, other = (train(jax.random.key(seed)) for seed in (0, 0, 1))
    assert (once == again).all() and not jnp.allclose(once, other)


def align(tokens, source, target, class_tokens=False):
    tokens = jnp.asarray(tokens, jnp.float32)[:, None]
    aligned = align_tokens(tokens, source=source, target=target, class_tokens=class_tokens)
    return aligned[:, 0].tolist()


def test_a_coarser_grid_averages_what_it_covers():
    assert align([0, 1, 2, 3], (4, 1, 1), (2, 1, 1)) == [0.5, 2.5]
    assert align([0, 1, 2, 3], (1, 2, 2), (1, 1, 2)) == [1, 2]


def test_a_finer_grid_repeats():
    assert align([0, 1], (2, 1, 1), (4, 1, 1)) == [0, 0, 1, 1]


def test_grids_that_do_not_divide_are_weighted_by_overlap():
    assert align([0, 3, 6], (1, 3, 1), (1, 2, 1)) == pytest.approx([1, 5])
    assert align(range(14), (1, 1, 14), (1, 1, 16))[::15] == pytest.approx([0, 13])


def test_class_tokens_meet_class_tokens():
    frames = [100, 1, 2, 200, 3, 4]  # two frames of a class token and two patches
    assert align(frames, (2, 1, 2), (1, 1, 1), class_tokens=True) == [150, 2.5]


def test_equal_grids_stay_as_they_are():
    assert align(range(8), (2, 2, 2), (2, 2, 2)) == list(range(8))
