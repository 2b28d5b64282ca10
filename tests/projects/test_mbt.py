"""MBT, in both public forms, against the public outputs and parameter trees."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from projects.avmae.model import MBT, PretrainedMBT
from scenic_video.runs.flops import forward_gflops
from tests.helpers.from_config import from_config
from tests.helpers.golden import assert_close, assert_tree, read_case, read_trees, shapes_of

slow = pytest.mark.slow  # minutes, all together

TINY: dict[str, Any] = {
    "hidden_size": 32,
    "mlp_dim": 64,
    "num_layers": 4,
    "num_heads": 4,
    "num_classes": 10,
    "tubelet_size": (2, 8, 8),
    "fusion_layer": 2,
}
ALONE: dict[str, Any] = TINY | {"num_bottlenecks": 0}

FAST = ("mbt_bottleneck_token", "avmae_mbt_bottleneck_gap")
"""Whose outputs every run of the tests compares; the others are slow tests."""

MODELS: dict[str, Any] = {
    "mbt_bottleneck_gap": MBT(**TINY, classifier="gap"),
    "mbt_bottleneck_token": MBT(**TINY),
    "mbt_late": MBT(**dict(TINY, fusion_layer=4)),
    "mbt_nobottleneck_crossmodal": MBT(**TINY, num_bottlenecks=0),
    "mbt_rgb_only": MBT(**ALONE, modalities=("rgb",)),
    "mbt_spec_only": MBT(**ALONE, modalities=("audio",)),
    "avmae_mbt_bottleneck_gap": PretrainedMBT(**TINY, classifier="gap"),
    "avmae_mbt_bottleneck_token": PretrainedMBT(**TINY),
    "avmae_mbt_rgb_only": PretrainedMBT(**TINY, classifier="gap", modalities=("rgb",)),
}

B: dict[str, Any] = {"hidden_size": 768, "mlp_dim": 3072, "num_layers": 12, "num_heads": 12}
L: dict[str, Any] = {"hidden_size": 1024, "mlp_dim": 4096, "num_layers": 24, "num_heads": 16}
B |= {"classifier": "gap", "num_classes": 527}
L |= {"classifier": "gap", "num_classes": 527, "fusion_layer": 18}

TREES: dict[str, Any] = {
    "mbt_b16x2_bottleneck_gap_as527": MBT(**B),
    "mbt_b16x2_bottleneck_token_as527": MBT(**dict(B, classifier="token")),
    "mbt_b16x2_bottleneck_token_vggsound309": MBT(**dict(B, classifier="token", num_classes=309)),
    "mbt_b16x2_crossattn_nobottleneck": MBT(**B, num_bottlenecks=0),
    "mbt_b16x2_late_fusion": MBT(**B, fusion_layer=12),
    "mbt_b16x2_shared_encoder_early": MBT(
        **B, fusion_layer=0, num_bottlenecks=0, share_encoder=True
    ),
    "mbt_b16x2_rgb_only": MBT(**B, num_bottlenecks=0, modalities=("rgb",)),
    "mbt_b16_spec_only": MBT(**B, num_bottlenecks=0, modalities=("audio",)),
    "avmae_mbt_b16x2_finetune_as527": PretrainedMBT(**B),
    "avmae_mbt_b16x2_finetune_modality_tokens": PretrainedMBT(**B, use_modality_tokens=True),
    "avmae_mbt_l16x2_finetune_as527": PretrainedMBT(**L),
    "avmae_mbt_l16x2_finetune_vggsound309": PretrainedMBT(
        **dict(L, fusion_layer=16, num_classes=309)
    ),
    "avmae_mbt_l16x2_finetune_rgb_only": PretrainedMBT(**L, modalities=("rgb",)),
    "avmae_mbt_l16_finetune_spec_only": PretrainedMBT(**L, modalities=("audio",)),
}


def golden(name):
    """The case, its parameters and its inputs by modality."""
    case = read_case(name)
    return case, case.params, {path.removeprefix("input/"): x for path, x in case.inputs.items()}


def run(model, params, inputs, **options):
    """One compiled forward pass."""
    return jax.jit(lambda params, inputs: model.apply({"params": params}, **inputs, **options))(
        params, inputs
    )


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=slow) for n in MODELS])
def test_outputs_equal_the_public_implementations(name):
    case, params, inputs = golden(name)
    model, expected = MODELS[name], case.outputs
    assert_close(run(model, params, inputs), expected["output"])
    output = flatten_dict({"output_train": run(model, params, inputs, train=True)}, sep="/")
    assert output.keys() == {path for path in expected if path.startswith("output_train")}
    for path, logits in output.items():
        assert_close(logits, expected[path])
    assert shapes_of(model, **inputs) == case.tree


@slow
@pytest.mark.parametrize("name", TREES)
def test_full_size_parameters_have_the_public_names_shapes_and_total(name):
    case = read_trees("mbt")[name]
    assert_tree(shapes_of(TREES[name], **case["input"]), case)


def test_every_public_tree_is_tested():
    assert TREES.keys() == read_trees("mbt").keys()


@slow
@pytest.mark.parametrize(
    ("name", "gflops"),
    [("mbt_b16x2_bottleneck_gap_as527", 492.7), ("avmae_mbt_l16x2_finetune_as527", 1608.7)],
)
def test_gflops_are_those_of_the_public_implementation(name, gflops):
    shapes = read_trees("mbt")[name]["input"]
    shapes = {modality: tuple(shape) for modality, shape in shapes.items()}
    assert abs(forward_gflops(TREES[name], **shapes) - gflops) <= 0.002 * gflops


@slow
@pytest.mark.parametrize(
    ("fields", "fused"),
    [
        ({"fusion_layer": 4}, False),
        ({"fusion_layer": 3}, False),  # the bottlenecks of the last layer reach no class token
        ({"fusion_layer": 2}, True),
        ({"fusion_layer": 3, "num_bottlenecks": 0}, True),
    ],
)
def test_audio_reaches_video_only_through_the_fusion(fields, fused):
    _, params, inputs = golden("mbt_bottleneck_token")
    model = MBT(**dict(TINY, **fields))
    silent = inputs | {"audio": 0 * inputs["audio"]}
    logits = [run(model, params, x, train=True)["rgb"] for x in (inputs, silent)]
    assert (np.abs(logits[0] - logits[1]).max() > 1e-5) == fused


@slow
def test_one_pass_over_joined_tokens_equals_a_shared_block_for_each_modality():
    _, params, inputs = golden("mbt_nobottleneck_crossmodal")
    blocks = {name: x for name, x in params["Transformer"].items() if name.startswith("encoderb")}
    own = {name: x for name, x in blocks.items() if not name.endswith("_spectrogram")}
    twins = {f"{name}_spectrogram": x for name, x in own.items()}
    params["Transformer"] |= twins
    apart = run(MBT(**ALONE), params, inputs)
    assert_close(run(MBT(**ALONE, share_encoder=True), params, inputs), apart)


@slow
def test_fusion_can_be_left_out_of_evaluation():
    fused, apart = MBT(**TINY), MBT(**TINY, fuse_in_evaluation=False)
    _, params, inputs = golden("mbt_bottleneck_token")
    outputs = [run(model, params, inputs) for model in (fused, apart)]
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-4
    late = MBT(**dict(TINY, fusion_layer=4))
    assert_close(outputs[1], run(late, params, inputs))


@slow
def test_remat_and_bfloat16_keep_the_answer():
    _, params, inputs = golden("mbt_bottleneck_gap")
    model = MBT(**TINY, classifier="gap")
    expected = run(model, params, inputs)
    assert_close(run(model.clone(remat=True), params, inputs), expected)
    rounded = run(model.clone(dtype="bfloat16"), params, inputs)
    assert rounded.dtype == jnp.float32
    assert np.abs(rounded - expected).max() < 0.05 * np.abs(expected).max()


def test_wrong_inputs_and_fields_are_refused():
    with pytest.raises(ValueError, match=r"takes \('audio', 'rgb'\) but got \('rgb',\)"):
        shapes_of(MBT(**TINY), rgb=(2, 8, 32, 32, 3))
    with pytest.raises(ValueError, match="modalities are one or both of"):
        MBT(**TINY, modalities=("rgb", "flow"))
    with pytest.raises(ValueError, match="must be between 0"):
        MBT(**dict(TINY, fusion_layer=5))
    with pytest.raises(ValueError, match="positions is 'learned_space_time'"):
        from_config(MBT, **TINY, positions="learned_space_time")
