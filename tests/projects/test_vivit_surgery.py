"""What a ViViT starts with from models of other classes, sizes, patches and tokens."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.vivit.model import (
    FactorisedDotProduct,
    FactorisedEncoder,
    FrameAverage,
    SpatioTemporalAttention,
    ViT,
)
from projects.vivit.pretrained import from_image_model, from_same_model, from_video_model
from scenic_video.weights.bicubic import resample_bicubic
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.patch_resampling import resample_patches
from scenic_video.weights.resampling import Resampling
from tests.helpers.drawn import parameters

SIZE: dict[str, Any] = {"hidden_size": 24, "mlp_dim": 48, "num_layers": 2, "num_heads": 4}
IMAGE: dict[str, Any] = SIZE | {"num_classes": 21, "patch_size": (8, 8)}
VIDEO: dict[str, Any] = SIZE | {"num_classes": 10, "tubelet_size": (2, 8, 8)}
GRID = (2, 3, 3)
FRAME, CLIP, LARGER = (jnp.zeros((1, *size, 3)) for size in ((24, 24), (4, 24, 24), (4, 40, 40)))


def table_of(params, encoder="Transformer"):
    return params[encoder]["posembed_input"]["pos_embedding"][0]


def assert_same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def random_of(report):
    return {row.path.partition("/")[0] for row in report.rows if row.source is None}


@pytest.mark.parametrize("classifier", ["token", "gap"])
def test_joint_attention_that_came_from_an_image_model_gives_a_factorised_encoder_of_the_image(
    classifier,
):
    """The mean over time of repeated positions are the image's."""
    image = parameters(ViT(**IMAGE, classifier=classifier), rgb=FRAME, seed=1)
    joint = SpatioTemporalAttention(**VIDEO, classifier=classifier)
    source, _ = from_image_model(
        target=ModelWeights(parameters(joint, rgb=CLIP), grid=GRID), source=ModelWeights(image)
    )
    target = parameters(FactorisedEncoder(**VIDEO, classifier=classifier), rgb=CLIP)
    params, report = from_video_model(
        target=ModelWeights(target, grid=GRID), source=ModelWeights(source, grid=GRID)
    )
    expected, _ = from_image_model(
        target=ModelWeights(target, grid=GRID), source=ModelWeights(image)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), params, expected)
    assert "mean over 2 times" in str(report)
    token = {"cls_TemporalTransformer"} if classifier == "token" else set()
    assert random_of(report) == {"output_projection", "TemporalTransformer", *token}


def test_positions_of_joint_attention_are_resampled_for_the_frames_of_a_factorised_encoder():
    source = parameters(SpatioTemporalAttention(**VIDEO), rgb=CLIP, seed=1)
    target = parameters(FrameAverage(**VIDEO), rgb=LARGER)
    params, report = from_video_model(
        target=ModelWeights(target, grid=(2, 5, 5)), source=ModelWeights(source, grid=GRID)
    )
    assert "mean over 2 times, resample 3 x 3 to 5 x 5" in str(report)
    old, new = table_of(source), table_of(params, "SpatialTransformer")
    mean = old[1:].reshape(2, 3, 3, -1).mean(axis=0)
    np.testing.assert_allclose(new[1:].reshape(5, 5, -1)[::2, ::2], mean, atol=1e-6)
    np.testing.assert_array_equal(new[0], old[0])
    assert_same(params["cls_SpatialTransformer"], source["cls"])


def test_factorised_dot_product_attention_takes_all_but_the_class_token_of_joint_attention():
    source = parameters(SpatioTemporalAttention(**VIDEO), rgb=CLIP, seed=1)
    target = parameters(FactorisedDotProduct(**VIDEO), rgb=CLIP)
    params, report = from_video_model(
        target=ModelWeights(target, grid=GRID), source=ModelWeights(source, grid=GRID)
    )
    assert_same(params["Transformer"]["encoderblock_1"], source["Transformer"]["encoderblock_1"])
    assert_same(table_of(params), table_of(source)[1:])
    assert random_of(report) == {"output_projection"} and "cls" in report.unused


def test_class_tokens_that_a_factorised_encoder_lacks_have_zeros_for_their_positions():
    source = parameters(FactorisedEncoder(**VIDEO, classifier="gap"), rgb=CLIP, seed=1)
    target = parameters(FactorisedEncoder(**VIDEO), rgb=CLIP)
    params, report = from_video_model(
        target=ModelWeights(target, grid=GRID), source=ModelWeights(source, grid=GRID)
    )
    for encoder in ("SpatialTransformer", "TemporalTransformer"):
        new, old = table_of(params, encoder), table_of(source, encoder)
        np.testing.assert_array_equal(new, np.concatenate([0 * old[:1], old]))
        assert f"cls_{encoder}" in random_of(report)
    assert "3 x 3 unchanged, zeros for the class token" in str(report)


def test_the_distillation_token_of_deit_and_its_position_are_dropped():
    source = parameters(ViT(**IMAGE, distillation_token=True), rgb=FRAME, seed=1)
    target = parameters(SpatioTemporalAttention(**VIDEO), rgb=CLIP)
    params, report = from_image_model(
        target=ModelWeights(target, grid=GRID), source=ModelWeights(source)
    )
    old = table_of(source)
    np.testing.assert_array_equal(table_of(params), np.concatenate([old[:1], old[2:], old[2:]]))
    assert "cls_distillation" in report.unused


@pytest.mark.parametrize("patches", ["resample", "linear"])
def test_patches_of_another_size_are_resampled_as_the_config_says(patches):
    fields: dict[str, Any] = IMAGE | {"patch_size": (12, 6)}
    source = parameters(ViT(**fields), rgb=FRAME, seed=1)
    target = parameters(SpatioTemporalAttention(**VIDEO), rgb=CLIP)
    resampling = Resampling(patches=patches)
    params, report = from_image_model(
        target=ModelWeights(target, {"rgb": (4, 24, 24)}, resampling=resampling),
        source=ModelWeights(source, {"rgb": (1, 24, 24)}),
    )
    kernel = source["embedding"]["kernel"]
    expected = {"resample": resample_patches, "linear": resampling.kernel}[patches](kernel, (8, 8))
    np.testing.assert_allclose(params["embedding"]["kernel"][1], expected, atol=1e-6)
    words = {"resample": "12 x 6, pseudo-inverse", "linear": "12 x 6"}[patches]
    transforms = {row.path: row.transform for row in report.rows}
    assert transforms["embedding/kernel"] == f"central_frame of 2, patches of {words}"
    assert "resample 2 x 4 to 3 x 3, repeated 2 times" in str(report)


def test_tubelets_of_more_frames_are_resampled_over_time_too():
    source = parameters(SpatioTemporalAttention(**VIDEO), rgb=CLIP, seed=1)
    longer: dict[str, Any] = VIDEO | {"tubelet_size": (4, 8, 8)}
    target = parameters(SpatioTemporalAttention(**longer), rgb=CLIP)
    params, _ = from_video_model(
        target=ModelWeights(target, grid=(1, 3, 3), resampling=Resampling(patches="resample")),
        source=ModelWeights(source, grid=GRID),
    )
    expected = resample_patches(source["embedding"]["kernel"], (4, 8, 8))
    np.testing.assert_array_equal(params["embedding"]["kernel"], expected)


def test_positions_are_resampled_bicubically_as_the_config_says():
    source = parameters(ViT(**IMAGE), rgb=FRAME, seed=1)
    target = parameters(SpatioTemporalAttention(**VIDEO), rgb=LARGER)
    params, report = from_image_model(
        target=ModelWeights(target, grid=(2, 5, 5), resampling=Resampling("bicubic")),
        source=ModelWeights(source, grid=(3, 3)),
    )
    assert "resample 3 x 3 to 5 x 5, bicubic, repeated 2 times" in str(report)
    expected = resample_bicubic(table_of(source)[1:].reshape(3, 3, -1), (5, 5)).reshape(25, -1)
    np.testing.assert_array_equal(table_of(params)[1:26], expected)


def test_the_same_model_keeps_its_head_and_takes_other_sizes():
    source = parameters(ViT(**IMAGE), rgb=FRAME, seed=1)
    target = parameters(ViT(**IMAGE), rgb=LARGER[:, 0])
    params, report = from_same_model(
        target=ModelWeights(target, {"rgb": (1, 40, 40)}),
        source=ModelWeights(source, {"rgb": (1, 24, 24)}),
    )
    assert_same(params["output_projection"], source["output_projection"])
    assert [row.transform for row in report.rows if row.transform] == [
        "resample 1 x 3 x 3 to 1 x 5 x 5"
    ]
