"""What models of one modality and MBT start with from supervised models, and from other sizes."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.avmae.finetuning.model import PretrainedViT
from projects.avmae.model import MBT
from projects.avmae.pretrained import from_classifier, from_image_model, from_same_model
from projects.vivit.model import SpatioTemporalAttention, ViT
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.resampling import Resampling
from tests.helpers.drawn import parameters

SIZE: dict[str, Any] = {"hidden_size": 24, "mlp_dim": 24, "num_layers": 2, "num_heads": 2}
HEAD: dict[str, Any] = SIZE | {"num_classes": 3}
CLIP = jax.random.normal(jax.random.key(0), (2, 4, 16, 16, 3))
AUDIO = jnp.zeros((2, 24, 16, 1))
FINE: dict[str, Any] = HEAD | {"patch_size": (2, 8, 8), "positions": "learned"}
SIZES = {"rgb": (4, 16, 16)}


def tokens_of(model, params, rgb):
    apply = jax.jit(functools.partial(model.apply, capture_intermediates=True))
    _, state = apply({"params": params}, rgb=rgb)
    return state["intermediates"]["Transformer"]["__call__"][0]


@pytest.mark.parametrize("classifier", ["token", "gap"])
def test_a_supervised_vivit_goes_on_as_it_was_in_a_model_without_a_position_for_its_token(
    classifier,
):
    vivit = SpatioTemporalAttention(**HEAD, tubelet_size=(2, 8, 8), classifier=classifier)
    source = parameters(vivit, seed=1, rgb=CLIP)
    model = PretrainedViT(**FINE, classifier=classifier)
    params, report = from_classifier(
        target=ModelWeights(parameters(model, rgb=CLIP), SIZES), source=ModelWeights(source, SIZES)
    )
    found, expected = tokens_of(model, params, CLIP), tokens_of(vivit, source, CLIP)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    transforms = {row.path: row.transform for row in report.rows if row.transform}
    if classifier == "token":
        assert transforms["cls"] == "with the position of the token added"
    random = {row.path for row in report.rows if row.source is None}
    assert random == {"output_projection/bias", "output_projection/kernel"}


def test_a_supervised_vit_is_inflated_and_its_positions_repeated():
    image = parameters(ViT(**HEAD, patch_size=(8, 8)), seed=1, rgb=jnp.zeros((1, 24, 24, 3)))
    model = PretrainedViT(**FINE, classifier="gap", normalize="pooled")
    target = parameters(model, rgb=CLIP)
    params, report = from_classifier(
        target=ModelWeights(target, SIZES), source=ModelWeights(image, {"rgb": (1, 24, 24)})
    )
    np.testing.assert_array_equal(params["embedding"]["kernel"][1], image["embedding"]["kernel"])
    old = image["Transformer"]["posembed_input"]["pos_embedding"][0, 1:].reshape(3, 3, -1)
    new = params["posembed_input"]["pos_embedding"][0].reshape(2, 2, 2, -1)
    np.testing.assert_allclose(new, [old[::2, ::2]] * 2, atol=1e-6)
    norm = image["Transformer"]["encoder_norm"]
    jax.tree.map(np.testing.assert_array_equal, params["encoder_norm"], norm)
    assert "cls" in report.unused
    with pytest.raises(ValueError, match="9 positions and this model 2 x 2.*rows and columns"):
        from_classifier(target=ModelWeights(target, SIZES), source=ModelWeights(image))


def test_positions_of_unknown_rows_and_columns_are_kept_but_not_resampled():
    vivit = SpatioTemporalAttention(**HEAD, tubelet_size=(2, 8, 8))
    source = parameters(vivit, seed=1, rgb=CLIP)
    target = parameters(PretrainedViT(**FINE), rgb=CLIP)
    old = source["Transformer"]["posembed_input"]["pos_embedding"][:, 1:]
    for known in ({}, SIZES):
        params, _ = from_classifier(target=ModelWeights(target, known), source=ModelWeights(source))
        np.testing.assert_array_equal(params["posembed_input"]["pos_embedding"], old)
    larger = parameters(PretrainedViT(**FINE), rgb=jnp.zeros((1, 4, 24, 24, 3)))
    with pytest.raises(ValueError, match="8 positions and this model .* unknown"):
        from_classifier(target=ModelWeights(larger), source=ModelWeights(source))


def test_mbt_starts_from_a_vit_without_a_class_token_with_zeros_for_their_positions():
    image = parameters(
        ViT(**HEAD, patch_size=(8, 8), classifier="gap"), seed=1, rgb=jnp.zeros((1, 16, 16, 3))
    )
    model = MBT(**HEAD, tubelet_size=(2, 8, 8), fusion_layer=1, num_bottlenecks=2)
    target = parameters(model, rgb=CLIP, audio=AUDIO)
    params, report = from_image_model(
        target=ModelWeights(target, SIZES | {"audio": (24, 16)}),
        source=ModelWeights(image, {"rgb": (1, 16, 16)}),
    )
    for name in ("posembed_input", "posembed_input_spectrogram"):
        table = params["Transformer"][name]["pos_embedding"]
        assert not table[:, 0].any() and table[:, 1:].any()
    random = {row.path for row in report.rows if row.source is None}
    assert {"cls", "clsspectrogram", "bottleneck"} < random
    transforms = {row.path: row.transform for row in report.rows}
    assert transforms["embedding_spectrogram/kernel"] == "3 to 1 channels"
    assert transforms["embedding/kernel"] == "central_frame of 2"


def test_another_mbt_starts_one_of_longer_and_larger_inputs():
    model = MBT(**HEAD, tubelet_size=(2, 8, 8), fusion_layer=1, num_bottlenecks=2)
    source = parameters(model, seed=1, rgb=CLIP, audio=AUDIO)
    larger = {"rgb": (4, 24, 24), "audio": (40, 16)}
    inputs: dict[str, Any] = {
        "rgb": jnp.zeros((1, 4, 24, 24, 3)),
        "audio": jnp.zeros((1, 40, 16, 1)),
    }
    params, report = from_same_model(
        target=ModelWeights(parameters(model, **inputs), larger, resampling=Resampling("bicubic")),
        source=ModelWeights(source, SIZES | {"audio": (24, 16)}),
    )
    transforms = [row.transform for row in report.rows if row.transform]
    assert sorted(transforms) == [
        "resample 2 x 2 x 2 to 2 x 3 x 3, bicubic",
        "resample 3 x 2 to 5 x 2, bicubic",
    ]
    jax.tree.map(
        np.testing.assert_array_equal, params["output_projection"], source["output_projection"]
    )
