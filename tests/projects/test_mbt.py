"""MBT, in both public forms, against the public outputs and parameter trees."""

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from projects.avmae.model import MBT, PretrainedMBT
from scenic_video.flops import forward_gflops

pytestmark = pytest.mark.slow  # minutes, all together

GOLDEN = Path(__file__).parents[1] / "golden"
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

MODELS: dict[str, Any] = {
    "mbt_bottleneck_gap": MBT(**TINY, classifier="gap"),
    "mbt_bottleneck_token": MBT(**TINY),
    "mbt_late": MBT(**dict(TINY, fusion_layer=4)),
    "mbt_nobottleneck_crossmodal": MBT(**TINY, num_bottlenecks=0),
    "mbt_rgb_only": MBT(**ALONE, modalities=("rgb",)),
    "mbt_spec_only": MBT(**ALONE, modalities=("spectrogram",)),
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
    "mbt_b16_spec_only": MBT(**B, num_bottlenecks=0, modalities=("spectrogram",)),
    "avmae_mbt_b16x2_finetune_as527": PretrainedMBT(**B),
    "avmae_mbt_b16x2_finetune_modality_tokens": PretrainedMBT(**B, use_modality_tokens=True),
    "avmae_mbt_l16x2_finetune_as527": PretrainedMBT(**L),
    "avmae_mbt_l16x2_finetune_vggsound309": PretrainedMBT(
        **dict(L, fusion_layer=16, num_classes=309)
    ),
    "avmae_mbt_l16x2_finetune_rgb_only": PretrainedMBT(**L, modalities=("rgb",)),
    "avmae_mbt_l16_finetune_spec_only": PretrainedMBT(**L, modalities=("spectrogram",)),
}


def golden(name):
    """The case's description, its parameters and its inputs."""
    case = json.loads((GOLDEN / f"{name}.json").read_text())
    params = {path: parameter(path, shape) for path, shape in case["params"].items()}
    shapes = {path.removeprefix("input/"): shape for path, shape in case["inputs"].items()}
    inputs = {modality: array_of(tuple(shape)) for modality, shape in shapes.items()}
    return case, unflatten_dict(params, sep="/"), inputs


def parameter(path, shape):
    noise = np.random.default_rng(zlib.crc32(path.encode())).standard_normal(shape)
    noise = noise.astype(np.float32)
    return (1 + 0.1 * noise if path.endswith("scale") else 0.1 * noise).astype(np.float32)


def array_of(shape):
    seed = zlib.crc32(repr(shape).encode())
    return jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32))


def shapes_of(model, inputs):
    """Parameter path -> shape, without allocating anything."""
    inputs = {name: jax.ShapeDtypeStruct(shape, np.float32) for name, shape in inputs.items()}
    variables: Any = jax.eval_shape(lambda x: model.init(jax.random.key(0), **x), inputs)
    flat: dict[str, Any] = flatten_dict(variables["params"], sep="/")  # pyright: ignore
    return {path: list(leaf.shape) for path, leaf in flat.items()}


def run(model, params, inputs, **options):
    """One compiled forward pass."""
    return jax.jit(lambda params, inputs: model.apply({"params": params}, **inputs, **options))(
        params, inputs
    )


def assert_close(output, expected):
    assert output.shape == expected.shape
    assert np.abs(output - expected).max() <= 1e-4 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("name", MODELS)
def test_outputs_equal_the_public_implementations(name):
    case, params, inputs = golden(name)
    model, expected = MODELS[name], np.load(GOLDEN / f"{name}.npz")
    assert_close(run(model, params, inputs), expected["output"])
    output = flatten_dict({"output_train": run(model, params, inputs, train=True)}, sep="/")
    assert output.keys() == {path for path in expected.files if path.startswith("output_train")}
    for path, logits in output.items():
        assert_close(logits, expected[path])
    tree = shapes_of(model, {modality: x.shape for modality, x in inputs.items()})
    assert tree == case["params"]


@pytest.mark.parametrize(
    "name", [pytest.param(k, marks=pytest.mark.slow if "l16" in k else ()) for k in TREES]
)
def test_full_size_parameters_have_the_public_names_shapes_and_total(name):
    case = json.loads((GOLDEN / "mbt_trees.json").read_text())[name]
    shapes = shapes_of(TREES[name], case["input"])
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == case["parameters"]
    listing = "\n".join(f"{path} {shape}" for path, shape in sorted(shapes.items()))
    assert hashlib.sha256(listing.encode()).hexdigest() == case["sha256"]


def test_every_public_tree_is_tested():
    assert TREES.keys() == json.loads((GOLDEN / "mbt_trees.json").read_text()).keys()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "gflops"),
    [("mbt_b16x2_bottleneck_gap_as527", 492.7), ("avmae_mbt_l16x2_finetune_as527", 1608.7)],
)
def test_gflops_are_those_of_the_public_implementation(name, gflops):
    shapes = json.loads((GOLDEN / "mbt_trees.json").read_text())[name]["input"]
    shapes = {modality: tuple(shape) for modality, shape in shapes.items()}
    assert abs(forward_gflops(TREES[name], **shapes) - gflops) <= 0.002 * gflops


@pytest.mark.parametrize(
    ("fields", "hears"),
    [
        ({"fusion_layer": 4}, False),
        ({"fusion_layer": 3}, False),  # the bottlenecks of the last layer reach no class token
        ({"fusion_layer": 2}, True),
        ({"fusion_layer": 3, "num_bottlenecks": 0}, True),
    ],
)
def test_video_hears_sound_only_through_the_fusion(fields, hears):
    _, params, inputs = golden("mbt_bottleneck_token")
    model = MBT(**dict(TINY, **fields))
    silent = inputs | {"spectrogram": 0 * inputs["spectrogram"]}
    logits = [run(model, params, x, train=True)["rgb"] for x in (inputs, silent)]
    assert (np.abs(logits[0] - logits[1]).max() > 1e-5) == hears


def test_one_pass_over_joined_tokens_equals_a_shared_block_for_each_modality():
    _, params, inputs = golden("mbt_nobottleneck_crossmodal")
    blocks = {name: x for name, x in params["Transformer"].items() if name.startswith("encoderb")}
    own = {name: x for name, x in blocks.items() if not name.endswith("_spectrogram")}
    twins = {f"{name}_spectrogram": x for name, x in own.items()}
    params["Transformer"] |= twins
    apart = run(MBT(**ALONE), params, inputs)
    assert_close(run(MBT(**ALONE, share_encoder=True), params, inputs), apart)


def test_fusion_can_be_left_out_of_evaluation():
    fused, apart = MBT(**TINY), MBT(**TINY, fuse_in_evaluation=False)
    _, params, inputs = golden("mbt_bottleneck_token")
    outputs = [run(model, params, inputs) for model in (fused, apart)]
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-4
    late = MBT(**dict(TINY, fusion_layer=4))
    assert_close(outputs[1], run(late, params, inputs))


def test_remat_and_bfloat16_keep_the_answer():
    _, params, inputs = golden("mbt_bottleneck_gap")
    model = MBT(**TINY, classifier="gap")
    expected = run(model, params, inputs)
    assert_close(run(model.clone(remat=True), params, inputs), expected)
    rounded = run(model.clone(dtype="bfloat16"), params, inputs)
    assert rounded.dtype == jnp.float32
    assert np.abs(rounded - expected).max() < 0.05 * np.abs(expected).max()


def test_wrong_inputs_and_fields_are_refused():
    with pytest.raises(ValueError, match=r"is for \('spectrogram', 'rgb'\) but got \('rgb',\)"):
        shapes_of(MBT(**TINY), {"rgb": (2, 8, 32, 32, 3)})
    with pytest.raises(ValueError, match="modalities are one or both of"):
        MBT(**TINY, modalities=("rgb", "flow"))
    with pytest.raises(ValueError, match="lies between 0"):
        MBT(**dict(TINY, fusion_layer=5))
    with pytest.raises(ValueError, match="positions is 'sinusoidal'"):
        MBT(**TINY, positions="sinusoidal")
