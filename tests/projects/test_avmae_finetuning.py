"""Pretrained encoders with a head against the public outputs and parameter trees."""

from typing import Any

import jax
import pytest

from projects.avmae.finetuning.model import PretrainedViT
from scenic_video.layers.sizes import size
from tests.helpers.golden import assert_close, assert_tree, read_case, read_trees, shapes_of

HEAD: dict[str, Any] = {"hidden_size": 32, "mlp_dim": 64, "num_layers": 3, "num_heads": 4}
HEAD |= {"num_classes": 10, "patch_size": (2, 8, 8)}
FINE_TUNED: dict[str, Any] = {
    "mae_finetune_video_token": PretrainedViT(**HEAD, positions="learned"),
    "mae_finetune_video_gap": PretrainedViT(**HEAD, classifier="gap", normalize="pooled"),
    "mae_finetune_spectrogram_gap": PretrainedViT(
        **dict(HEAD, patch_size=(8, 8)),
        modality="audio",
        classifier="gap",
        normalize="pooled",
        use_modality_tokens=True,
    ),
}
VIT = {name: size(name) for name in ("B", "L")}
VIDEO_HEAD: dict[str, Any] = {"num_classes": 400, "classifier": "gap", "normalize": "pooled"}
IMAGE_HEAD: dict[str, Any] = {
    "num_classes": 1000,
    "patch_size": (16, 16),
    "positions": "sinusoidal",
}
TREES: dict[str, Any] = {
    "mae_vit_b16_finetune": PretrainedViT(**VIT["B"], **IMAGE_HEAD),
    "mae_vit_l16_finetune": PretrainedViT(**VIT["L"], **IMAGE_HEAD),
    "mae_vivit_b16x2_finetune_gap": PretrainedViT(**VIT["B"], **VIDEO_HEAD),
    "mae_vivit_l16x2_finetune_gap": PretrainedViT(**VIT["L"], **VIDEO_HEAD),
}


@pytest.mark.parametrize("name", FINE_TUNED)
def test_logits_equal_the_public_implementations(name):
    case, model = read_case(name), FINE_TUNED[name]
    inputs = {model.modality: case.inputs["input"]}
    assert_close(jax.jit(model.apply)({"params": case.params}, **inputs), case.outputs["output"])
    assert shapes_of(model, **inputs) == case.tree


@pytest.mark.parametrize("name", [pytest.param(k, marks=pytest.mark.slow) for k in TREES])
def test_full_size_parameters_have_the_public_names_shapes_and_total(name):
    case = read_trees("mae")[name]
    assert_tree(shapes_of(TREES[name], rgb=case["input"]), case)


def test_a_fine_tuned_model_takes_its_modality_in_its_shape():
    with pytest.raises(ValueError, match=r"takes \('rgb',\) but got"):
        shapes_of(PretrainedViT(**HEAD), audio=(2, 48, 32, 1))
    with pytest.raises(ValueError, match="needs an input of 5 axes"):
        shapes_of(PretrainedViT(**HEAD), rgb=(2, 32, 32, 3))
