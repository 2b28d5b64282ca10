"""What a ViViT that starts from an image model, or from another ViViT, computes at first."""

import functools
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from projects.vivit.model import (
    FactorisedDotProduct,
    FactorisedEncoder,
    FactorisedSelfAttention,
    FrameAverage,
    SpatioTemporalAttention,
    ViT,
)
from projects.vivit.pretrained import from_image_model, from_video_model
from scenic_video.weights.model_weights import ModelWeights
from tests.helpers.drawn import parameters

SIZE: dict[str, Any] = {"hidden_size": 24, "mlp_dim": 48, "num_layers": 2, "num_heads": 4}
IMAGE: dict[str, Any] = SIZE | {"num_classes": 21, "patch_size": (8, 8)}
VIDEO: dict[str, Any] = SIZE | {"num_classes": 10, "tubelet_size": (2, 8, 8)}
GRID = (2, 3, 3)
CLIP = jax.random.uniform(jax.random.key(0), (2, 4, 24, 24, 3), minval=-1, maxval=1)


def tokens_of(model, params, rgb, encoder="Transformer"):
    """What the encoder gives."""
    apply = jax.jit(functools.partial(model.apply, capture_intermediates=True))
    _, state = apply({"params": params}, rgb=rgb)
    return state["intermediates"][encoder]["__call__"][0]


def image_model(**fields):
    model = ViT(**IMAGE, **fields)
    return model, parameters(model, rgb=CLIP[:, 0], seed=1)


def frame_tokens(model, params, frame):
    return tokens_of(model, params, CLIP[:, frame])


@pytest.mark.parametrize("video_class", [FactorisedEncoder, FrameAverage])
@pytest.mark.parametrize("classifier", ["token", "gap"])
def test_central_frame_makes_every_slice_the_image_model_of_one_frame(video_class, classifier):
    image, source = image_model(classifier=classifier)
    video = video_class(**VIDEO, classifier=classifier)
    params, _ = from_image_model(
        target=ModelWeights(parameters(video, rgb=CLIP), grid=GRID), source=ModelWeights(source)
    )
    slices = tokens_of(video, params, CLIP, "SpatialTransformer")
    for index in range(2):
        expected = frame_tokens(image, source, 2 * index + 1)
        np.testing.assert_allclose(slices[:, index], expected, atol=2e-5)


def test_inflated_filters_make_every_slice_the_image_model_of_the_mean_frame():
    image, source = image_model()
    video = FactorisedEncoder(**VIDEO)
    params, _ = from_image_model(
        target=ModelWeights(parameters(video, rgb=CLIP), grid=GRID),
        source=ModelWeights(source),
        kernel="filter_inflation",
    )
    slices = tokens_of(video, params, CLIP, "SpatialTransformer")
    expected = tokens_of(image, source, CLIP[:, 2:4].mean(axis=1))
    np.testing.assert_allclose(slices[:, 1], expected, atol=2e-5)


@pytest.mark.parametrize("order", ["time_space", "space_time"])
def test_factorised_self_attention_starts_as_the_image_model_of_every_central_frame(order):
    """Exactly so where the image model has no class token, and attention over time is zero."""
    image, source = image_model(classifier="gap")
    video = FactorisedSelfAttention(**VIDEO, attention_order=order)
    target = parameters(video, rgb=CLIP)
    params, report = from_image_model(
        target=ModelWeights(target, grid=GRID), source=ModelWeights(source), time_attention="zero"
    )
    zeros = {row.path.partition("/")[2] for row in report.rows if row.transform == "zeros"}
    out = "MultiHeadDotProductAttention_time/out"
    assert zeros == {
        f"encoderblock_{i}/{out}/{leaf}" for i in (0, 1) for leaf in ("kernel", "bias")
    }
    blocks = [tree["Transformer"]["encoderblock_0"] for tree in (params, target)]
    over_time = [block["MultiHeadDotProductAttention_time"]["query"] for block in blocks]
    jax.tree.map(np.testing.assert_array_equal, *over_time)
    tokens = tokens_of(video, params, CLIP).reshape(2, 2, 9, 24)
    for index in range(2):
        expected = frame_tokens(image, source, 2 * index + 1)
        np.testing.assert_allclose(tokens[:, index], expected, atol=2e-5)


def test_on_a_static_clip_joint_attention_starts_as_the_image_model():
    """All copies of a token attend to the same copies of the others."""
    image, source = image_model(classifier="gap")
    video = SpatioTemporalAttention(**VIDEO, classifier="gap")
    params, _ = from_image_model(
        target=ModelWeights(parameters(video, rgb=CLIP), grid=GRID), source=ModelWeights(source)
    )
    static = jnp.repeat(CLIP[:, :1], 4, axis=1)
    tokens = tokens_of(video, params, static).reshape(2, 2, 9, 24)
    for index in range(2):
        np.testing.assert_allclose(tokens[:, index], frame_tokens(image, source, 0), atol=2e-5)


def test_the_class_token_and_its_position_are_taken_once():
    _, source = image_model()
    video = SpatioTemporalAttention(**VIDEO)
    params, _ = from_image_model(
        target=ModelWeights(parameters(video, rgb=CLIP), grid=GRID), source=ModelWeights(source)
    )
    table = source["Transformer"]["posembed_input"]["pos_embedding"]
    expected = np.concatenate([table, table[:, 1:]], axis=1)
    np.testing.assert_array_equal(params["cls"], source["cls"])
    np.testing.assert_array_equal(
        params["Transformer"]["posembed_input"]["pos_embedding"], expected
    )


def test_factorised_dot_product_copies_all_and_drops_the_class_token():
    _, source = image_model(representation_size=8)
    video = FactorisedDotProduct(**VIDEO)
    target = parameters(video, rgb=CLIP)
    params, report = from_image_model(
        target=ModelWeights(target, grid=GRID), source=ModelWeights(source)
    )
    for path in ("MlpBlock_0/Dense_1/kernel", "MultiHeadDotProductAttention_0/query/bias"):
        old, new = (flatten_dict(p["Transformer"], sep="/") for p in (source, params))
        np.testing.assert_array_equal(new[f"encoderblock_1/{path}"], old[f"encoderblock_1/{path}"])
    np.testing.assert_array_equal(
        params["output_projection"]["kernel"], target["output_projection"]["kernel"]
    )
    assert set(report.unused) == {
        "cls",
        "pre_logits/kernel",
        "pre_logits/bias",
        "output_projection/kernel",
        "output_projection/bias",
    }


def test_attention_over_time_is_copied_when_asked_for():
    _, source = image_model()
    video = FactorisedSelfAttention(**VIDEO, time_attention_start="xavier")
    target = parameters(video, rgb=CLIP)
    copied, _ = from_image_model(
        target=ModelWeights(target, grid=GRID), source=ModelWeights(source), time_attention="copy"
    )
    random, _ = from_image_model(
        target=ModelWeights(target, grid=GRID), source=ModelWeights(source)
    )
    image_block = source["Transformer"]["encoderblock_0"]
    block = copied["Transformer"]["encoderblock_0"]
    for copy, original in (
        ("MultiHeadDotProductAttention_time", "MultiHeadDotProductAttention_0"),
        ("MultiHeadDotProductAttention_space", "MultiHeadDotProductAttention_0"),
        ("LayerNorm_time", "LayerNorm_0"),
        ("LayerNorm_mlp", "LayerNorm_1"),
    ):
        jax.tree.map(np.testing.assert_array_equal, block[copy], image_block[original])
    jax.tree.map(
        np.testing.assert_array_equal,
        random["Transformer"]["encoderblock_0"]["MultiHeadDotProductAttention_time"],
        target["Transformer"]["encoderblock_0"]["MultiHeadDotProductAttention_time"],
    )


def test_positions_of_a_smaller_image_are_resampled():
    _, source = image_model()
    larger = jnp.zeros((1, 4, 40, 40, 3))
    video = FactorisedEncoder(**VIDEO)
    params, report = from_image_model(
        target=ModelWeights(parameters(video, rgb=larger), grid=(2, 5, 5)),
        source=ModelWeights(source, grid=(3, 3)),
    )
    assert "resample 3 x 3 to 5 x 5" in str(report)
    old = source["Transformer"]["posembed_input"]["pos_embedding"][0]
    new = params["SpatialTransformer"]["posembed_input"]["pos_embedding"][0]
    np.testing.assert_array_equal(new[0], old[0])
    corners = new[1:].reshape(5, 5, -1)[::2, ::2]  # 3 places stay where they were
    np.testing.assert_allclose(corners, old[1:].reshape(3, 3, -1), atol=1e-6)


def test_uniform_frames_take_the_image_kernel_as_it_is():
    _, source = image_model()
    fields: dict[str, Any] = VIDEO | {"tubelet_size": (1, 8, 8), "uniform_frames": 2}
    video = SpatioTemporalAttention(**fields)
    params, _ = from_image_model(
        target=ModelWeights(parameters(video, rgb=CLIP), grid=GRID), source=ModelWeights(source)
    )
    np.testing.assert_array_equal(params["embedding"]["kernel"], source["embedding"]["kernel"])


@pytest.mark.parametrize(
    ("image_fields", "arguments", "message"),
    [
        (
            {"patch_size": (12, 12)},
            {},
            "kernel: The patches are 12 x 12 .* 8 x 8 here. Set init",
        ),
        ({"hidden_size": 32}, {}, "encoderblock_0/LayerNorm_0/bias"),
        ({"num_layers": 1}, {}, "encoderblock_1/LayerNorm_0/scale needs"),
        ({"num_layers": 3}, {}, "source Transformer/encoderblock_2/.* is not used"),
        ({"positions": "none"}, {}, "pos_embedding, which the source lacks"),
        ({}, {"target_grid": (4, 3, 3)}, r"is \[1, 19, 24\].*3 x 3 unchanged, repeated 4 times"),
        ({}, {"source_grid": (2, 4)}, "9 positions, which does not match an image of 2 x 4"),
        ({}, {"kernel": "middle"}, "'middle'"),
    ],
)
def test_an_image_model_that_does_not_fit_is_an_error(image_fields, arguments, message):
    fields: dict[str, Any] = IMAGE | image_fields
    source = parameters(ViT(**fields), rgb=CLIP[:, 0])
    target = parameters(SpatioTemporalAttention(**VIDEO), rgb=CLIP)
    arguments = dict(arguments)
    with pytest.raises(ValueError, match=message):
        grid, source_grid = arguments.pop("target_grid", GRID), arguments.pop("source_grid", None)
        from_image_model(
            target=ModelWeights(target, grid=grid),
            source=ModelWeights(source, grid=source_grid),
            **arguments,
        )


@pytest.mark.parametrize("time_attention", ["copy", "random"])
def test_joint_attention_starts_factorised_self_attention(time_attention):
    """The public code copies all but the norm before the attention over time."""
    source = parameters(SpatioTemporalAttention(**VIDEO, classifier="gap"), rgb=CLIP, seed=2)
    target = parameters(FactorisedSelfAttention(**VIDEO), rgb=CLIP)
    params, _ = from_video_model(
        target=ModelWeights(target, grid=GRID),
        source=ModelWeights(source, grid=GRID),
        time_attention=time_attention,
    )
    blocks = [tree["Transformer"]["encoderblock_1"] for tree in (params, source, target)]
    new, old, random = (flatten_dict(block, sep="/") for block in blocks)
    for path, array in new.items():
        name, _, leaf = path.partition("/")
        over_time = name.endswith("_time")
        was = {"LayerNorm_mlp": "LayerNorm_1", "MlpBlock": "MlpBlock_0"}.get(name)
        was = was or re.sub("_(space|time)$", "_0", name)
        kept = over_time and time_attention == "random"
        np.testing.assert_array_equal(array, random[path] if kept else old[f"{was}/{leaf}"])


def test_a_class_token_that_the_image_model_lacks_has_zeros_for_its_position():
    _, source = image_model(classifier="gap")
    target = parameters(SpatioTemporalAttention(**VIDEO), rgb=CLIP)
    params, report = from_image_model(
        target=ModelWeights(target, grid=GRID), source=ModelWeights(source)
    )
    new, old = (
        tree["Transformer"]["posembed_input"]["pos_embedding"][0] for tree in (params, source)
    )
    np.testing.assert_array_equal(new, np.concatenate([0 * old[:1], old, old]))
    np.testing.assert_array_equal(params["cls"], target["cls"])
    assert "3 x 3 unchanged, repeated 2 times, zeros for the class token" in str(report)
    assert [row.path for row in report.rows if row.source is None][0] == "cls"


def test_a_video_model_is_not_taken_for_an_image_model_of_more_patches():
    """4 x 3 x 3 positions are as many as 6 x 6."""
    clip = jnp.zeros((1, 8, 24, 24, 3))
    source = parameters(SpatioTemporalAttention(**VIDEO), rgb=clip)
    with pytest.raises(ValueError, match=r"kernel is \[2, 8, 8, 3, 24\].*:from_video_model"):
        from_image_model(target=ModelWeights(source, grid=(4, 3, 3)), source=ModelWeights(source))


def test_frames_embedded_one_by_one_are_not_taken_for_an_image_of_more_patches():
    """Such a model has the patch kernel of an image model, but 36 positions, not 9."""
    fields: dict[str, Any] = VIDEO | {"tubelet_size": (1, 8, 8), "uniform_frames": 4}
    source = parameters(SpatioTemporalAttention(**fields), rgb=CLIP)
    begin = functools.partial(from_image_model, target=ModelWeights(source, grid=(4, 3, 3)))
    with pytest.raises(ValueError, match="36 positions and this model 3 x 3 .* unknown"):
        begin(source=ModelWeights(source))
    with pytest.raises(ValueError, match="36 positions, which does not match an image of 3 x 3"):
        begin(source=ModelWeights(source, {"rgb": (4, 24, 24)}))


def test_the_size_of_the_images_gives_their_rows_and_columns():
    """Of 24 x 48 pixels, in patches of 8 x 8."""
    model = ViT(**IMAGE)
    source = parameters(model, rgb=jnp.zeros((1, 24, 48, 3)), seed=1)
    target = parameters(SpatioTemporalAttention(**VIDEO), rgb=CLIP)
    params, report = from_image_model(
        target=ModelWeights(target, {"rgb": (4, 24, 24)}),
        source=ModelWeights(source, {"rgb": (1, 24, 48)}),
    )
    assert "resample 3 x 6 to 3 x 3, repeated 2 times" in str(report)
    old, new = (p["Transformer"]["posembed_input"]["pos_embedding"][0] for p in (source, params))
    old, new = old[1:].reshape(3, 6, 24), new[1:].reshape(2, 3, 3, 24)
    np.testing.assert_allclose(new[1, :, ::2], old[:, [0, 5]], atol=1e-6)


def test_another_vivit_is_taken_whole_but_for_its_head():
    source = parameters(FactorisedEncoder(**VIDEO), rgb=CLIP, seed=3)
    fields: dict[str, Any] = VIDEO | {"num_classes": 7}
    larger = jnp.zeros((1, 8, 40, 40, 3))
    target = parameters(FactorisedEncoder(**fields), rgb=larger)
    params, report = from_video_model(
        target=ModelWeights(target, {"rgb": (8, 40, 40)}),
        source=ModelWeights(source, {"rgb": (4, 24, 24)}),
    )
    assert params["output_projection"]["kernel"].shape == (24, 7)
    changed = {row.path: row.transform for row in report.rows if row.transform}
    assert changed == {
        "SpatialTransformer/posembed_input/pos_embedding": "resample 3 x 3 to 5 x 5",
        "TemporalTransformer/posembed_input/pos_embedding": "resample 2 to 4",
    }
    temporal = params["TemporalTransformer"]["posembed_input"]["pos_embedding"][0]
    old = source["TemporalTransformer"]["posembed_input"]["pos_embedding"][0]
    np.testing.assert_allclose(temporal[[0, 1, 4]], old, atol=1e-7)
    np.testing.assert_allclose(temporal[2], old[1] * 2 / 3 + old[2] / 3, atol=1e-6)


def test_another_vivit_of_another_grid_than_said_is_an_error():
    source = parameters(SpatioTemporalAttention(**VIDEO), rgb=CLIP)
    with pytest.raises(ValueError, match="19 positions does not match a grid of 4 x 3 x 3"):
        from_video_model(
            target=ModelWeights(source, grid=GRID), source=ModelWeights(source, grid=(4, 3, 3))
        )


def test_the_grid_of_a_clip_follows_from_its_size_whatever_frames_are_embedded():
    """The patch kernel of uniform frames has no time axis: the number of positions gives it."""
    fields: dict[str, Any] = VIDEO | {"tubelet_size": (1, 8, 8), "uniform_frames": 2}
    source = parameters(SpatioTemporalAttention(**fields), rgb=CLIP)
    more = SpatioTemporalAttention(**dict(fields, uniform_frames=3))
    larger = jnp.zeros((1, 6, 40, 40, 3))
    _, report = from_video_model(
        target=ModelWeights(parameters(more, rgb=larger), {"rgb": (6, 40, 40)}),
        source=ModelWeights(source, {"rgb": (4, 24, 24)}),
    )
    assert "resample 2 x 3 x 3 to 3 x 5 x 5" in str(report)


def test_positions_of_unknown_rows_and_columns_are_kept_but_not_resampled():
    source = parameters(SpatioTemporalAttention(**VIDEO), rgb=CLIP)
    same, _ = from_video_model(target=ModelWeights(source, grid=GRID), source=ModelWeights(source))
    jax.tree.map(np.testing.assert_array_equal, same, source)
    larger = parameters(SpatioTemporalAttention(**VIDEO), rgb=jnp.zeros((1, 4, 40, 40, 3)))
    with pytest.raises(ValueError, match="18 positions of the source are unknown.*source_grid"):
        from_video_model(target=ModelWeights(larger, grid=(2, 5, 5)), source=ModelWeights(source))
