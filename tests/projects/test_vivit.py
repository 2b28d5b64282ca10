"""The ViViT family against the public implementation's outputs and parameter trees."""

import functools
from typing import Any

import jax
import pytest

from projects.vivit.model import (
    FactorisedDotProduct,
    FactorisedEncoder,
    FactorisedSelfAttention,
    FrameAverage,
    SpatioTemporalAttention,
    ViT,
)
from tests.helpers.golden import assert_close, assert_tree, read_case, read_trees, shapes_of, sized

SIZE: dict[str, Any] = {"hidden_size": 32, "mlp_dim": 64, "num_layers": 3, "num_heads": 4}
TINY: dict[str, Any] = SIZE | {"num_classes": 10}
IMAGE: dict[str, Any] = TINY | {"patch_size": (8, 8)}
VIDEO: dict[str, Any] = TINY | {"tubelet_size": (2, 8, 8)}
TEMPORAL: dict[str, Any] = {
    "temporal_num_layers": 2,
    "temporal_mlp_dim": 48,
    "temporal_num_heads": 2,
}

MODELS: dict[str, Any] = {
    "vit_token": ViT(**IMAGE),
    "vit_gap": ViT(**IMAGE, classifier="gap"),
    "vit_map": ViT(**IMAGE, classifier="map"),
    "vit_token_prelogits": ViT(**IMAGE, representation_size=16),
    "vit_token_sincos2d": ViT(**IMAGE, positions="sinusoidal"),
    "vivit_joint_token": SpatioTemporalAttention(**VIDEO),
    "vivit_joint_gap": SpatioTemporalAttention(**VIDEO, classifier="gap"),
    "vivit_joint_token_uniform_sampling": SpatioTemporalAttention(
        **TINY, tubelet_size=(1, 8, 8), uniform_frames=3
    ),
    "vivit_fe_token": FactorisedEncoder(**VIDEO, **TEMPORAL),
    "vivit_fe_gap": FactorisedEncoder(**VIDEO, **TEMPORAL, classifier="gap"),
    "vivit_fe_spatial_only": FrameAverage(**VIDEO),
    "vivit_fsa_time_space": FactorisedSelfAttention(**VIDEO),
    "vivit_fsa_space_time": FactorisedSelfAttention(**VIDEO, attention_order="space_time"),
    "vivit_fdpa": FactorisedDotProduct(**VIDEO),
}


video = functools.partial(sized, num_classes=400, tubelet_size=(2, 16, 16))
TREES: dict[str, Any] = {
    "vit_ti16_token_in1k": sized(ViT, "Ti", 1000),
    "vit_s16_token_in1k": sized(ViT, "S", 1000),
    "vit_b16_token_in1k": sized(ViT, "B", 1000),
    "vit_b16_gap_in1k": sized(ViT, "B", 1000, classifier="gap"),
    "vit_b16_token_in21k_prelogits": sized(ViT, "B", 21843, representation_size=768),
    "vit_l16_token_in1k": sized(ViT, "L", 1000),
    "vit_h14_token_in1k": sized(ViT, "H", 1000, patch_size=(14, 14)),
    "vivit_b16x2_joint": video(SpatioTemporalAttention, "B"),
    "vivit_b16x2_joint_gap": video(SpatioTemporalAttention, "B", classifier="gap"),
    "vivit_b16_uniform_frame_sampling8_joint": video(
        SpatioTemporalAttention, "B", tubelet_size=(1, 16, 16), uniform_frames=8
    ),
    "vivit_b16x2_fe": video(FactorisedEncoder, "B"),
    "vivit_b16x2_fe_gap": video(FactorisedEncoder, "B", classifier="gap"),
    "vivit_b16x2_fe_spatial_only": video(FrameAverage, "B"),
    "vivit_b16x2_fsa_time_space": video(FactorisedSelfAttention, "B"),
    "vivit_b16x2_fsa_space_time": video(FactorisedSelfAttention, "B", attention_order="space_time"),
    "vivit_b16x2_fdpa": video(FactorisedDotProduct, "B"),
    "vivit_l16x2_joint": video(SpatioTemporalAttention, "L"),
    "vivit_l16x2_fe_temporal4": video(FactorisedEncoder, "L"),
    "vivit_l16x2_fe_temporal24": video(FactorisedEncoder, "L", temporal_num_layers=24),
    "vivit_l16x2_fe_temporal4_epic": video(FactorisedEncoder, "L", num_classes=397),
    "vivit_l16x2_fe_temporal4_ssv2_256": video(FactorisedEncoder, "L", num_classes=174),
}


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


@pytest.mark.parametrize("name", TREES)
def test_full_size_parameters_have_the_public_names_shapes_and_total(name):
    case = read_trees("vivit")[name]
    assert_tree(shapes_of(TREES[name], rgb=case["input"]), case)


def test_every_public_tree_is_tested():
    assert TREES.keys() == read_trees("vivit").keys()
