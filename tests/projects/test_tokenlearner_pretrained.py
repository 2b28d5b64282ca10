"""What a TokenLearner transformer that starts from other weights computes at first."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.tokenlearner.model import TokenLearnerViT, TokenLearnerViViT
from projects.tokenlearner.pretrained import from_image_model, from_video_model, start
from projects.vivit.model import SpatioTemporalAttention, ViT
from scenic_video.weights.model_weights import ModelWeights
from tests.helpers.drawn import parameters

SIZE: dict[str, Any] = {"hidden_size": 24, "mlp_dim": 48, "num_layers": 3, "num_heads": 4}
IMAGE: dict[str, Any] = SIZE | {"num_classes": 21, "patch_size": (8, 8)}
VIDEO: dict[str, Any] = SIZE | {"num_classes": 10, "tubelet_size": (2, 8, 8)}
LEARN: dict[str, Any] = {"token_learner_at": 2, "num_tokens": 4, "bottleneck_dim": 8}
GRID, IMAGE_GRID = (2, 3, 3), (1, 3, 3)
CLIP = jax.random.uniform(jax.random.key(0), (2, 4, 24, 24, 3), minval=-1, maxval=1)
FRAME = CLIP[:, 1]


def layers_of(model, params, rgb):
    """What every module of the transformer gives, by name."""
    apply = jax.jit(functools.partial(model.apply, capture_intermediates=True))
    _, state = apply({"params": params}, rgb=rgb)
    return {
        name: values["__call__"][0]
        for name, values in state["intermediates"]["Transformer"].items()
        if "__call__" in values
    }


def features_of(model, params, rgb):
    apply = jax.jit(functools.partial(model.apply, mutable=["intermediates"]))
    _, state = apply({"params": params}, rgb=rgb)
    return state["intermediates"]["features"][0]


def blocks(params, layer):
    return params["Transformer"][f"encoderblock_{layer}"]


def assert_same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_layers_before_learned_tokens_compute_the_same():
    image = ViT(**IMAGE, classifier="gap")
    model = TokenLearnerViT(**IMAGE, **LEARN)
    source = parameters(image, rgb=FRAME, seed=1)
    params, report = from_image_model(
        target=ModelWeights(parameters(model, rgb=FRAME), grid=IMAGE_GRID),
        source=ModelWeights(source),
    )
    found, expected = layers_of(model, params, FRAME), layers_of(image, source, FRAME)
    np.testing.assert_allclose(found["encoderblock_1"], expected["encoderblock_1"], atol=2e-5)
    assert found["encoderblock_2"].shape == (2, 4, 24)
    random = {row.path for row in report.rows if row.source is None}
    assert {path.split("/")[1] for path in random if path.startswith("Transformer")} == {
        "TokenLearnerModuleV11_0"
    }


def test_a_static_clip_is_encoded_as_its_image():
    """Every copy of a token attends to the same copies of the others, frame by frame."""
    image = ViT(**IMAGE, classifier="gap")
    model = TokenLearnerViViT(**VIDEO, **LEARN)
    source = parameters(image, rgb=FRAME, seed=1)
    params, _ = from_image_model(
        target=ModelWeights(parameters(model, rgb=CLIP), grid=GRID), source=ModelWeights(source)
    )
    still = jnp.repeat(FRAME[:, None], 4, axis=1)
    found = layers_of(model, params, still)["encoderblock_1"].reshape(2, 2, 9, 24)
    expected = layers_of(image, source, FRAME)["encoderblock_1"]
    for time in range(2):
        np.testing.assert_allclose(found[:, time], expected, atol=2e-5)


def test_the_class_token_of_an_image_model_and_its_position_are_dropped():
    source = parameters(ViT(**IMAGE, representation_size=8), rgb=FRAME, seed=1)
    model = TokenLearnerViT(**IMAGE, **LEARN)
    params, report = from_image_model(
        target=ModelWeights(parameters(model, rgb=FRAME), grid=IMAGE_GRID),
        source=ModelWeights(source),
    )
    table = source["Transformer"]["posembed_input"]["pos_embedding"]
    assert_same(params["Transformer"]["posembed_input"]["pos_embedding"], table[:, 1:])
    assert {"cls", "pre_logits/kernel", "output_projection/kernel"} < set(report.unused)


def test_positions_of_a_smaller_image_are_resampled():
    source = parameters(ViT(**IMAGE, classifier="gap"), rgb=FRAME, seed=1)
    target = parameters(TokenLearnerViViT(**VIDEO, **LEARN), rgb=jnp.zeros((1, 4, 40, 40, 3)))
    params, _ = from_image_model(
        target=ModelWeights(target, grid=(2, 5, 5)), source=ModelWeights(source, grid=(3, 3))
    )
    old = source["Transformer"]["posembed_input"]["pos_embedding"].reshape(3, 3, 24)
    new = params["Transformer"]["posembed_input"]["pos_embedding"].reshape(2, 5, 5, 24)
    for time in range(2):
        np.testing.assert_allclose(new[time, ::2, ::2], old, atol=1e-6)


def test_extra_blocks_start_as_the_identity():
    """3+2 blocks give the features of 3, though all of their other parameters are random."""
    shallow = TokenLearnerViT(**IMAGE, **LEARN)
    deep = shallow.clone(num_extra_layers=2)
    source, target = parameters(shallow, rgb=FRAME, seed=1), parameters(deep, rgb=FRAME)
    params, _ = from_image_model(
        target=ModelWeights(target, grid=IMAGE_GRID),
        source=ModelWeights(source),
        num_extra_layers=2,
    )
    np.testing.assert_allclose(
        features_of(deep, params, FRAME), features_of(shallow, source, FRAME), atol=2e-5
    )
    block = blocks(params, 4)
    assert (block["MlpBlock_0"]["Dense_1"]["kernel"] == 0).all()
    assert_same(block["MlpBlock_0"]["Dense_0"], blocks(target, 4)["MlpBlock_0"]["Dense_0"])


def test_the_blocks_that_the_source_lacks_are_extra_ones_by_default():
    source = parameters(ViT(**IMAGE), rgb=FRAME, seed=1)
    target = parameters(TokenLearnerViT(**IMAGE, **LEARN, num_extra_layers=2), rgb=FRAME)
    fields: Any = {"target": ModelWeights(target, grid=IMAGE_GRID), "source": ModelWeights(source)}
    params, report = start(**fields, extra_blocks="copy")
    assert_same(blocks(params, 4), blocks(source, 2))
    assert "pretrained:from_image_model, as" in report.chosen
    expected, _ = from_image_model(**fields, num_extra_layers=2)
    assert_same(start(**fields)[0], expected)


def test_extra_blocks_may_be_random_or_copied():
    source = parameters(ViT(**IMAGE), rgb=FRAME, seed=1)
    target = parameters(TokenLearnerViT(**IMAGE, **LEARN, num_extra_layers=2), rgb=FRAME)
    begin = functools.partial(
        from_image_model,
        target=ModelWeights(target, grid=IMAGE_GRID),
        source=ModelWeights(source),
        num_extra_layers=2,
    )
    random, _ = begin(extra_blocks="random")
    copied, report = begin(extra_blocks="copy")
    for extra, last in ((3, 1), (4, 2)):
        assert_same(blocks(random, extra), blocks(target, extra))
        assert_same(blocks(copied, extra), blocks(source, last))
    assert {row.transform for row in report.rows if "encoderblock_4" in row.path} == {"copy"}


@pytest.mark.parametrize("classifier", ["token", "gap"])
def test_a_vivit_is_taken_whole_but_for_its_head_and_class_token(classifier):
    fields: dict[str, Any] = VIDEO | {"num_classes": 7}
    video = SpatioTemporalAttention(**fields, classifier=classifier)
    source = parameters(video, rgb=CLIP, seed=3)
    model = TokenLearnerViViT(**VIDEO, **LEARN)
    params, _ = from_video_model(
        target=ModelWeights(parameters(model, rgb=CLIP), grid=GRID),
        source=ModelWeights(source, grid=GRID),
    )
    assert_same(params["embedding"], source["embedding"])
    table = source["Transformer"]["posembed_input"]["pos_embedding"][:, -18:]
    assert_same(params["Transformer"]["posembed_input"]["pos_embedding"], table)
    if classifier == "gap":
        found, expected = layers_of(model, params, CLIP), layers_of(video, source, CLIP)
        np.testing.assert_allclose(found["encoderblock_1"], expected["encoderblock_1"], atol=2e-5)


def test_another_tokenlearner_is_loaded_with_its_token_modules():
    model = TokenLearnerViViT(**VIDEO, **LEARN)
    source = parameters(model, rgb=CLIP, seed=3)
    target = parameters(model, rgb=jnp.zeros((1, 8, 24, 24, 3)))
    params, report = from_video_model(
        target=ModelWeights(target, {"rgb": (8, 24, 24)}),
        source=ModelWeights(source, {"rgb": (4, 24, 24)}),
    )
    name = "TokenLearnerModuleV11_0"
    assert_same(params["Transformer"][name], source["Transformer"][name])
    changed = {row.path: row.transform for row in report.rows if row.transform}
    assert changed == {
        "Transformer/posembed_input/pos_embedding": "resample 2 x 3 x 3 to 4 x 3 x 3"
    }


@pytest.mark.parametrize(
    ("image_fields", "arguments", "message"),
    [
        ({"patch_size": (12, 12)}, {}, "embedding/kernel"),
        ({"hidden_size": 32}, {}, "encoderblock_0/LayerNorm_0/bias"),
        ({"num_layers": 2}, {}, "encoderblock_2/LayerNorm_0/scale needs"),
        ({"num_layers": 4}, {}, "source Transformer/encoderblock_3/.* is not used"),
        ({}, {"target_grid": (4, 3, 3)}, r"is \[1, 18, 24\].*3 x 3 unchanged, repeated 4 times"),
        ({}, {"kernel": "middle"}, "'middle'"),
        ({}, {"extra_blocks": "zero"}, "'identity', 'random', 'copy'"),
        ({}, {"num_extra_layers": 1}, "source Transformer/encoderblock_2/.* is not used"),
    ],
)
def test_an_image_model_that_does_not_fit_is_an_error(image_fields, arguments, message):
    fields: dict[str, Any] = IMAGE | image_fields
    source = parameters(ViT(**fields), rgb=FRAME)
    target = parameters(TokenLearnerViViT(**VIDEO, **LEARN), rgb=CLIP)
    arguments = dict(arguments)
    weights = ModelWeights(target, grid=arguments.pop("target_grid", GRID))
    with pytest.raises(ValueError, match=message):
        from_image_model(target=weights, source=ModelWeights(source), **arguments)


def test_a_vivit_is_not_taken_for_an_image_model_of_more_patches():
    """4 x 3 x 3 positions are as many as 6 x 6."""
    source = parameters(SpatioTemporalAttention(**VIDEO), rgb=jnp.zeros((1, 8, 24, 24, 3)))
    target = parameters(TokenLearnerViViT(**VIDEO, **LEARN), rgb=CLIP)
    with pytest.raises(ValueError, match=r"kernel is \[2, 8, 8, 3, 24\].*:from_video_model"):
        from_image_model(target=ModelWeights(target, grid=GRID), source=ModelWeights(source))


def test_the_size_of_the_images_gives_their_rows_and_columns():
    source = parameters(ViT(**IMAGE), rgb=jnp.zeros((1, 24, 48, 3)))
    target = parameters(TokenLearnerViViT(**VIDEO, **LEARN), rgb=CLIP)
    begin = functools.partial(from_image_model, target=ModelWeights(target, grid=GRID))
    _, report = begin(source=ModelWeights(source, {"rgb": (1, 24, 48)}))
    assert "resample 3 x 6 to 3 x 3, repeated 2 times" in str(report)
    with pytest.raises(ValueError, match="18 positions and this model 3 x 3 in a frame"):
        begin(source=ModelWeights(source))


def test_a_vivit_of_another_grid_than_said_is_an_error():
    source = parameters(SpatioTemporalAttention(**VIDEO), rgb=CLIP)
    target = parameters(TokenLearnerViViT(**VIDEO, **LEARN), rgb=CLIP)
    with pytest.raises(ValueError, match="19 positions does not match a grid of 4 x 3 x 3"):
        from_video_model(
            target=ModelWeights(target, grid=GRID), source=ModelWeights(source, grid=(4, 3, 3))
        )
