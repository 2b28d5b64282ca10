"""MTV against the public implementation's outputs and parameter trees."""

import functools
from typing import Any

import jax
import pytest

from projects.mtv.model import MTV
from projects.mtv.views import View
from scenic_video.layers.view_fusion import Bottleneck, CrossViewAttention
from tests.helpers.golden import GOLDEN, assert_close, assert_tree, read_case, read_trees, shapes_of


def tiny_views(depths=(3, 3, 3)):
    """Three views, coarse to fine."""
    return tuple(
        View(8 * size, 16 * size, num_layers, num_heads=size, tubelet_size=(time, 8, 8))
        for size, num_layers, time in zip((2, 3, 4), depths, (8, 4, 2), strict=True)
    )


TINY: dict[str, Any] = {
    "num_classes": 10,
    "global_mlp_dim": 40,
    "global_num_layers": 2,
    "global_num_heads": 3,
}
FOUR_HEADS: dict[str, Any] = TINY | {"global_num_heads": 4}
THREE: dict[str, Any] = TINY | {"views": tiny_views()}
ATTENTION = CrossViewAttention(layers=(1, 2))
MODELS: dict[str, Any] = {
    "mtv_single_view": MTV(**FOUR_HEADS, views=tiny_views()[2:]),
    "mtv_late_fusion_3view": MTV(**THREE),
    "mtv_cva_3view_token": MTV(**THREE, fusion=ATTENTION),
    "mtv_cva_3view_gap": MTV(**THREE, fusion=ATTENTION, classifier="gap"),
    "mtv_cva_merge_time": MTV(
        **FOUR_HEADS,
        views=tiny_views(),
        fusion=ATTENTION,
        merge="time",
        global_hidden_size=20,
    ),
    "mtv_cva_unequal_depth": MTV(
        **TINY, views=tiny_views((2, 2, 4)), fusion=CrossViewAttention(layers=(1, 3))
    ),
    "mtv_bottleneck_3view": MTV(**THREE, fusion=Bottleneck(layers=(1, 2), num_tokens=3)),
}

small = functools.partial(MTV, num_classes=400, views="B/4+S/8+Ti/16")
medium = functools.partial(MTV, views="B/2+S/4+Ti/8", fusion=CrossViewAttention())
large = functools.partial(MTV, fusion=CrossViewAttention(layers=(11, 23)))
TREES: dict[str, Any] = {
    "mtv_b4_single_view": small(views="B/4"),
    "mtv_b4s8ti16_late_fusion": small(),
    "mtv_b4s8ti16_cva": small(fusion=CrossViewAttention()),
    "mtv_b4s8ti16_cva_gap": small(fusion=CrossViewAttention(), classifier="gap"),
    "mtv_b4s8ti16_cva_ascending": small(fusion=CrossViewAttention(direction="coarse_to_fine")),
    "mtv_b4s8ti16_cva_keyval_config": small(fusion=CrossViewAttention(sizes_from="key_value")),
    "mtv_b4s8ti16_cva_global_merge_time": small(fusion=CrossViewAttention(), merge="time"),
    "mtv_b4s8ti16_bottleneck": small(fusion=Bottleneck()),
    "mtv_b4s8ti16_bottleneck_ascending": small(fusion=Bottleneck(direction="coarse_to_fine")),
    "mtv_b2s4ti8_cva_k400": medium(num_classes=400),
    "mtv_b2s4ti8_cva_epic_64f": medium(num_classes=397),
    "mtv_b2s4ti8_cva_ssv2_48f": medium(num_classes=174),
    "mtv_l2b4s8ti16_cva_k600": large(num_classes=600, views="L/2+B/4+S/8+Ti/16"),
    "mtv_l2b4s8ti16_cva_mit": large(num_classes=305, views="L/2+B/4+S/8+Ti/16"),
    "mtv_h2b4s8ti16_cva_280": large(num_classes=400, views="H/2+B/4+S/8+Ti/16"),
}
FAST = ("mtv_b4s8ti16_cva_keyval_config",)


@pytest.mark.parametrize("name", MODELS)
def test_output_equals_the_public_implementations(name):
    case = read_case(name)
    rgb = case.inputs["input"]
    assert_close(
        jax.jit(MODELS[name].apply)({"params": case.params}, rgb=rgb), case.outputs["output"]
    )


@pytest.mark.parametrize("name", MODELS)
def test_parameters_have_the_public_names_and_shapes(name):
    case = read_case(name)
    assert shapes_of(MODELS[name], rgb=case.inputs["input"]) == case.tree


def test_every_golden_is_tested():
    present = {path.stem for path in GOLDEN.glob("mtv_*.npz")}
    assert present == MODELS.keys()
    assert TREES.keys() == read_trees("mtv").keys()


@pytest.mark.parametrize(
    "name",
    [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in TREES],
)
def test_full_size_parameters_have_the_public_names_shapes_and_total(name):
    case = read_trees("mtv")[name]
    assert_tree(shapes_of(TREES[name], rgb=case["input"]), case)
