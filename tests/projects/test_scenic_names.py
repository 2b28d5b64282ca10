"""Names of other releases of Scenic's models, what families refuse, and what they assume."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import unflatten_dict

from scenic_video.errors import UserError
from scenic_video.weights.built_model import build_model
from scenic_video.weights.families.family import Weights, installed_families, recognise
from scenic_video.weights.reading import read_weights
from scenic_video.weights.writing.formats import FORMATS, named_for
from tests.helpers.golden import assert_close, parameter, read_case
from tests.helpers.scenic_files import old_layout

Arrays = dict[str, np.ndarray]


def arrays_of(name: str) -> Arrays:
    return {path: parameter(path, shape) for path, shape in read_case(name).tree.items()}


def renamed(arrays: Arrays, *pairs: tuple[str, str]) -> Arrays:
    for old, new in pairs:
        arrays = {path.replace(old, new): array for path, array in arrays.items()}
    return arrays


def read(arrays: Arrays) -> Weights:
    return recognise(arrays, installed_families()).read(arrays, {})


def model_of(arrays: Arrays) -> Any:
    return read(arrays).model


@pytest.mark.parametrize(
    "name, pairs",
    [
        ("mbt_bottleneck_token", [("_spectrogram", "_spec")]),
        ("mbt_bottleneck_token", [("embedding_spectrogram", "embedding_spec")]),
        ("mbt_bottleneck_token", [("clsspectrogram", "cls_spectrogram")]),
        ("mbt_bottleneck_token", [("clsspectrogram", "clsspec")]),
        ("avmae_mbt_bottleneck_token", [("embedding_spectrogram", "embedding_spec")]),
        ("avmae_mbt_bottleneck_token", [("_spec/", "_spectrogram/")]),
        ("avmae_mid_shareddec", [("_rgb", "_RGB")]),
    ],
)
def test_names_of_other_releases_are_those_of_the_last(name, pairs):
    arrays = arrays_of(name)
    other = renamed(arrays, *pairs)
    assert other.keys() != arrays.keys()
    weights = read(other)
    assert not weights.rest and weights.params.keys() == arrays.keys()
    for path, array in arrays.items():
        np.testing.assert_array_equal(weights.params[path], array)
    assert weights.model == model_of(arrays)


def test_two_spellings_of_one_parameter_are_not_merged():
    arrays = arrays_of("mbt_bottleneck_token")
    arrays["embedding_spec/bias"] = np.ones(32, np.float32)
    weights = read(arrays)
    assert list(weights.rest) == ["embedding_spec/bias"]
    assert weights.params["embedding_spectrogram/bias"] is arrays["embedding_spectrogram/bias"]


def test_a_file_from_before_linen_is_numbered_as_now(tmp_path):
    arrays = arrays_of("vivit_fe_token")
    old = renamed(
        arrays,
        ("MultiHeadDotProductAttention_0", "MultiHeadDotProductAttention_1"),
        ("LayerNorm_1", "LayerNorm_2"),
        ("MlpBlock_0", "MlpBlock_3"),
    )
    old_layout(tmp_path / "checkpoint", {f"params/{path}": x for path, x in old.items()})
    weights = read_weights(tmp_path / "checkpoint")
    assert weights.params.keys() == arrays.keys()
    assert "numbered as before Linen" in " ".join(weights.notes)


FAMILIES = {
    "vit_token": "ViT of Scenic",
    "vivit_joint_token": "ViViT of Scenic",
    "vivit_fsa_time_space": "ViViT of Scenic with factorised self-attention",
    "vivit_fe_token": "ViViT of Scenic with a factorised encoder",
    "mtv_bottleneck_3view": "MTV of Scenic",
    "tokenlearner_image_v11": "TokenLearner of Scenic",
    "mbt_bottleneck_token": "MBT of Scenic",
    "avmae_mbt_rgb_only": "AV-MAE of Scenic, fine-tuned",
    "mae_image_token": "masked autoencoder of Scenic",
    "avmae_early_earlydec": "audiovisual masked autoencoder of Scenic",
    "mae_finetune_video_gap": "masked autoencoder of Scenic, fine-tuned",
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_file_is_of_one_family_and_what_is_left_over_is_kept_apart(name):
    arrays = arrays_of(name)
    first = next(path for path in arrays if "encoderblock_0" in path)
    strange = {"adapter/kernel": np.ones(3), f"{first}_scale": np.ones(3)}
    weights = read({**arrays, **strange})
    assert weights.family == FAMILIES[name]
    assert weights.rest.keys() == strange.keys()


def test_a_vit_with_the_head_of_big_vision_is_none_of_scenic():
    arrays = renamed(arrays_of("vit_token"), ("output_projection", "head"))
    assert read(arrays).family == "ViT of vision_transformer or big_vision"


def test_arrays_that_do_not_fit_together_are_errors():
    arrays = arrays_of("vivit_fe_token")
    lost = {path: x for path, x in arrays.items() if "encoderblock_1/" not in path}
    with pytest.raises(
        UserError, match="no 'SpatialTransformer/encoderblock_1/', but has the numbers 0, 2"
    ):
        read(lost)
    missing = {path: x for path, x in arrays.items() if "MlpBlock_0/Dense_0" not in path}
    with pytest.raises(UserError, match="lacks 'SpatialTransformer/encoderblock_0/MlpBlock_0/Den"):
        read(missing)
    flat = arrays | {"SpatialTransformer/posembed_input/pos_embedding": np.zeros((17, 32))}
    with pytest.raises(UserError, match=r"has the shape \[17, 32\]; wanted 3 axes"):
        read(flat)


def test_views_in_another_order_are_refused():
    arrays = arrays_of("mtv_late_fusion_3view")
    turned = renamed(arrays, ("view0", "view_"), ("view2", "view0"), ("view_", "view2"))
    with pytest.raises(UserError, match="in another order than coarse to fine"):
        read(turned)


@pytest.mark.parametrize("field, value", [("exact_gelu", True), ("norm_epsilon", 1e-12)])
def test_weights_of_other_functions_are_not_written(field, value):
    weights = read(arrays_of("vit_token"))
    family = recognise(weights.params, installed_families())
    other = Weights(family="", params=weights.params, model={**(weights.model or {}), field: value})
    with pytest.raises(UserError, match=f"have {field}=.*, not {value}, so"):
        family.write(other)


def test_parameters_that_scenic_lacks_are_not_written():
    weights = read(arrays_of("vit_token"))
    family = recognise(weights.params, installed_families())
    params = {**weights.params, "cls_distillation": np.zeros((1, 1, 32), np.float32)}
    with pytest.raises(UserError, match="ViT of Scenic has no parameters cls_distillation"):
        family.write(Weights(family="", params=params))


def test_a_model_that_the_file_does_not_show_is_written_with_a_note():
    weights = read(arrays_of("vivit_fdpa"))
    target = "projects.vivit.model:FactorisedDotProduct"
    weights = dataclasses.replace(weights, model={**(weights.model or {}), "target": target})
    named = named_for(FORMATS["scenic"], weights, installed_families())
    assert named.unstated == (f"target={target!r}",)
    assert named.leaves.keys() == weights.params.keys()


@pytest.mark.parametrize(
    "name, words",
    [
        ("vivit_joint_gap", "model.target"),
        ("vivit_fsa_time_space", "model.attention_order"),
        ("vivit_joint_token_uniform_sampling", "3 square frames"),
        ("tokenlearner_image_v11", "model.token_learner_at"),
        ("mbt_bottleneck_token", "model.fusion_layer"),
        ("avmae_early_earlydec", "model.encoder='early'"),
    ],
)
def test_what_parameters_do_not_show_is_assumed_and_said(name, words):
    assert any(words in note for note in read(arrays_of(name)).notes)


def test_what_parameters_show_is_not_assumed():
    for name in ("vivit_joint_token", "vivit_fe_token", "tokenlearner_image_v11_fuser"):
        assert not read(arrays_of(name)).notes


@pytest.mark.parametrize(
    "name, size",
    [
        ("vit_token", (1, 32, 32)),
        ("vivit_fe_token", (8, 32, 32)),
        ("mtv_cva_merge_time", (16, 32, 32)),
        ("vivit_joint_token", None),  # 64 tokens, of any number of frames
    ],
)
def test_square_grids_show_the_size_of_the_inputs(name, size):
    case = read_case(name)
    (rgb,) = case.inputs.values()
    weights = read(arrays_of(name))
    if size is None:
        assert not weights.inputs and not weights.preprocessing
    else:
        assert weights.inputs == {"rgb": size} == {"rgb": (1, *rgb.shape[1:-1])[-3:]}


def test_a_model_of_three_equal_channels_of_audio_reads_one():
    case, weights = read_case("mbt_spec_only"), read(arrays_of("mbt_spec_only"))
    (shape,) = [x.shape for x in case.inputs.values()]
    built = build_model(weights, name="MBT", inputs={"audio": shape[1:-1]})
    assert built.params["embedding_spectrogram/kernel"].shape == (8, 8, 1, 32)
    audio = built.random_inputs(2, seed=0)["audio"]
    params = unflatten_dict(dict(weights.params), sep="/")
    logits = built.module.apply(
        {"params": params}, audio=jnp.repeat(jnp.asarray(audio), 3, axis=-1)
    )
    assert_close(built({"audio": audio}), np.asarray(logits))
    assert weights.preprocessing == {"modalities": ("audio",)}
