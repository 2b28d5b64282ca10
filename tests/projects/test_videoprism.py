"""VideoPrism against the outputs of the public code, whose names and layouts its files have."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from projects.vivit.videoprism.model import VideoPrism
from projects.vivit.videoprism.pretrained import from_videoprism
from scenic_video.config import build
from scenic_video.errors import UserError
from scenic_video.layers.pooling import AttentionPooler
from scenic_video.weights.containers import npz
from scenic_video.weights.families.family import Family, Weights, installed_families, recognise
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.reading import read_weights, to_model_weights
from scenic_video.weights.writing import conversion
from tests.helpers.golden import Case, parameter, read_case

CAP = 2.0
"""The cap of the cases; public models have 50, which numbers as small as theirs do not show."""


def leaves_of(case: Case) -> dict[str, np.ndarray]:
    flat: Any = flatten_dict(case.params, sep="/")
    return dict(flat)


def written(case: Case, folder: Any) -> str:
    """A file as the public ones are."""
    path = folder / "flax_tiny.npz"
    npz.write(path, {f"params/{name}": x for name, x in leaves_of(case).items()})
    return str(path)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return read_weights(written(read_case("videoprism"), tmp_path_factory.mktemp("videoprism")))


@pytest.fixture(scope="module")
def family() -> Family:
    return recognise(leaves_of(read_case("videoprism")), installed_families())


def model_of(weights: Weights, **fields: Any) -> VideoPrism:
    return build({**(weights.model or {}), "num_classes": 3, "logit_cap": CAP, **fields})


def tokens(model: VideoPrism, params: Any, rgb: jax.Array) -> np.ndarray:
    """The output of the encoder, [b, t n, d]."""
    apply = functools.partial(
        model.apply,
        capture_intermediates=lambda module, _: module.name == "TemporalTransformer",
        mutable="intermediates",
    )
    _, state = jax.jit(apply)({"params": params}, rgb=rgb)
    found = state["intermediates"]["TemporalTransformer"]["__call__"][0]
    return np.asarray(found).swapaxes(1, 2).reshape(len(rgb), -1, model.hidden_size)


@pytest.mark.parametrize("name", ["videoprism", "videoprism_longer", "videoprism_shorter"])
def test_tokens_are_those_of_the_public_code_for_clips_of_any_size(name: str, weights: Weights):
    case = read_case(name)
    model, rgb = model_of(weights), case.inputs["rgb"]
    shapes: Any = jax.eval_shape(model.init, jax.random.key(0), rgb=rgb)["params"]
    random = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    target = ModelWeights(random, {"rgb": rgb.shape[1:4]})
    source = to_model_weights(weights, name="VideoPrism")
    params, report = from_videoprism(target=target, source=source)
    np.testing.assert_allclose(tokens(model, params, rgb), case.outputs["tokens"], atol=1e-5)
    assert not report.unused
    changed = {row.path.split("/")[0] for row in report.rows if row.transform}
    sizes = {"SpatialTransformer", "TemporalTransformer"}
    assert changed == (set() if name == "videoprism" else sizes)


def test_the_pooler_is_that_of_the_public_code():
    case = read_case("videoprism")
    pooler = {name: parameter(name, shape) for name, shape in case.description["pooler"].items()}
    attention, norm = "pooling_attention", "pooling_attention_layer_norm"
    heads = {x: (f"{attention}/{x}/w", f"{attention}/{x}/b") for x in ("query", "key", "value")}
    own, post = "MultiHeadDotProductAttention_0", pooler[f"{attention}/post/w"]
    params: dict[str, Any] = {
        f"{own}/{x}/{leaf}": pooler[name]
        for x, names in heads.items()
        for leaf, name in zip(("kernel", "bias"), names, strict=True)
    }
    params |= {
        "query": pooler["pooling_attention_query"][None],
        "per_dim_scale": pooler[f"{attention}/per_dim_scale/per_dim_scale"],
        f"{own}/out/kernel": post.transpose(1, 2, 0),
        f"{own}/out/bias": pooler[f"{attention}/post/b"],
        "LayerNorm_0/scale": pooler[f"{norm}/scale"],
        "LayerNorm_0/bias": pooler[f"{norm}/bias"],
    }
    module = AttentionPooler(qkv_features=64, num_heads=4)
    variables = {"params": unflatten_dict(params, sep="/")}
    pooled = jax.jit(module.apply)(variables, jnp.asarray(case.outputs["tokens"]))
    np.testing.assert_allclose(pooled, case.outputs["pooled"][:, 0], atol=1e-5)


def test_a_public_file_states_the_model_and_its_inputs(weights: Weights):
    assert not weights.rest and not weights.dropped
    assert weights.model == {
        "target": "projects.vivit.videoprism.model:VideoPrism",
        "hidden_size": 32,
        "mlp_dim": 64,
        "num_layers": 2,
        "num_heads": 4,
        "temporal_num_layers": 2,
        "patch_size": (6, 6),
        "classifier": "gap",
        "logit_cap": 50.0,
        "exact_gelu": True,
        "norm_epsilon": 1e-6,
    }
    assert weights.inputs == {"rgb": (4, 18, 18)}
    assert weights.preprocessing is not None
    assert weights.preprocessing["rgb"] == {"mean": (0, 0, 0), "std": (1, 1, 1)}


def test_a_file_is_written_back_bit_for_bit(weights: Weights, family: Family, tmp_path):
    path = written(read_case("videoprism"), tmp_path)
    written_as = conversion.write(weights, tmp_path / "again.npz", "npz")
    assert written_as.family == family.name == "VideoPrism"
    before, after = np.load(path), np.load(tmp_path / "again.npz")
    assert set(before.files) == set(after.files)
    for name in before.files:
        np.testing.assert_array_equal(after[name], before[name])


def test_a_classifier_has_no_names_in_the_public_files(weights: Weights, family: Family):
    params = {**weights.params, "output_projection/bias": np.zeros(3, np.float32)}
    classifier = dataclasses.replace(weights, params=params)
    with pytest.raises(UserError, match="no names for output_projection/bias"):
        family.write(classifier)


def test_of_a_video_text_file_the_video_encoder_is_read_alone(weights: Weights, tmp_path):
    leaves = leaves_of(read_case("videoprism"))
    whole = {f"params/vision_encoder/{name}": x for name, x in leaves.items()}
    whole["params/text_encoder/token_emb/emb_var"] = np.zeros((4, 32), np.float32)
    npz.write(tmp_path / "lvt.npz", whole)
    with pytest.raises(UserError, match="write FILE:vision_encoder for the video encoder alone"):
        read_weights(tmp_path / "lvt.npz")
    alone = read_weights(f"{tmp_path / 'lvt.npz'}:vision_encoder")
    assert alone.model == weights.model and not alone.rest


def test_a_model_of_tubelets_has_no_names_in_the_public_files(weights: Weights, family: Family):
    kernel = np.zeros((2, 6, 6, 3, 32), np.float32)
    tubelets = dataclasses.replace(weights, params={**weights.params, "embedding/kernel": kernel})
    with pytest.raises(UserError, match="a model of frames in patches; this is another one"):
        family.write(tubelets)


def test_layers_are_counted_over_both_encoders():
    model = VideoPrism(
        num_classes=3, hidden_size=8, mlp_dim=8, num_layers=2, num_heads=1, temporal_num_layers=3
    )
    after = {
        "embedding/kernel": 6,
        "SpatialTransformer/posembed_input/pos_embedding": 6,
        "SpatialTransformer/encoderblock_0/LayerNorm_0/scale": 5,
        "TemporalTransformer/posembed_input/pos_embedding": 4,
        "TemporalTransformer/encoderblock_2/LayerNorm_0/scale": 1,
        "attention_pooler/query": 0,
        "output_projection/kernel": 0,
    }
    assert {path: model.layers_after(path) for path in after} == after


def test_pixels_are_normalised_as_a_preprocessor_config_states(weights: Weights, tmp_path):
    """Of a run of another normalisation, written for Hugging Face."""
    statistics = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.1)}
    preprocessing = {**(weights.preprocessing or {}), "resize": 24, "rgb": statistics}
    trained = dataclasses.replace(weights, preprocessing=preprocessing)
    conversion.write(trained, tmp_path / "hub", "hf-safetensors")
    assert read_weights(tmp_path / "hub").preprocessing == preprocessing


LAYER = "temporal_encoder/transformers_stack/x_layers"


@pytest.mark.parametrize(
    "name, array, words",
    [
        ("patch_projection/linear/kernel", np.zeros((100, 32)), "square patches in RGB"),
        (f"{LAYER}/ff_layer/ffn_layer1/linear/kernel", None, "lacks '.*Dense_0/kernel'"),
        (f"{LAYER}/layer_norm/scale", np.zeros(()), "wanted an array with an axis of layers"),
        ("spatial_pos_emb/emb_var", np.zeros((8, 32)), "8 places of a frame are not .* square"),
        ("temporal_pos_emb/emb_var", None, "lacks 'TemporalTransformer/posembed_input"),
    ],
)
def test_damaged_files_are_refused_in_a_sentence(name, array, words, family: Family):
    leaves: dict[str, Any] = {**leaves_of(read_case("videoprism")), name: array}
    kept = {name: x for name, x in leaves.items() if x is not None}
    with pytest.raises(UserError, match=words):
        family.read(kept, {})
