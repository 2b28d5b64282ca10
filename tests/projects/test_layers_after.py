"""Which layer every parameter of every model is in, as rates by layer have always had it."""

import json
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax.traverse_util import flatten_dict

from scenic_video.config import build

EXPECTED = json.loads((Path(__file__).parents[1] / "golden/layers_after.json").read_text())
SIZE = {"hidden_size": 8, "mlp_dim": 8, "num_layers": 3, "num_heads": 2}
CLASSIFIER = {"num_classes": 3, **SIZE}
TUBELETS, PATCHES = {"tubelet_size": (2, 8, 8)}, {"patch_size": (8, 8)}
IMAGES, VIDEOS = {"rgb": (1, 16, 16, 3)}, {"rgb": (1, 4, 16, 16, 3)}
AUDIOVISUAL = {**VIDEOS, "audio": (1, 16, 16, 1)}
LEARNED = {"positions": "learned", "use_modality_tokens": True}
DECODER = {f"decoder_{name}": value for name, value in SIZE.items()}
AUTOENCODER = {**SIZE, **DECODER, **LEARNED, "decoder_positions": "learned"}
CLIP = {"global_num_layers": 2, "global_num_heads": 2, "global_mlp_dim": 8, "num_classes": 3}


def views(**second: Any) -> list[dict[str, Any]]:
    return [{**SIZE, "tubelet_size": (2, 8, 8)}, {**SIZE, "tubelet_size": (4, 8, 8), **second}]


def fusion(name: str, *layers: int) -> dict[str, Any]:
    return {"target": f"scenic_video.layers.view_fusion:{name}", "layers": layers}


VIVIT = {
    name: (f"vivit.model:{name}", {**CLASSIFIER, **TUBELETS}, VIDEOS)
    for name in (
        "SpatioTemporalAttention", "FrameAverage", "FactorisedSelfAttention", "FactorisedDotProduct"
    )
}  # fmt: skip
MODELS: dict[str, tuple[str, dict[str, Any], dict[str, tuple[int, ...]]]] = {
    **VIVIT,
    "ViT": ("vivit.model:ViT", {**CLASSIFIER, **PATCHES, "representation_size": 4}, IMAGES),
    "ViT map": ("vivit.model:ViT", {**CLASSIFIER, **PATCHES, "classifier": "map"}, IMAGES),
    "FactorisedEncoder": (
        "vivit.model:FactorisedEncoder",
        {**CLASSIFIER, **TUBELETS, "temporal_num_layers": 2},
        VIDEOS,
    ),
    "TokenLearnerViT fuser": (
        "tokenlearner.model:TokenLearnerViT",
        {**CLASSIFIER, **PATCHES, "token_learner_at": 1, "token_fuser": True}
        | {"num_extra_layers": 1},
        IMAGES,
    ),
    "TokenLearnerViViT v1": (
        "tokenlearner.model:TokenLearnerViViT",
        {**CLASSIFIER, **TUBELETS, "token_learner_at": 1, "token_learner": "v1"}
        | {"num_extra_layers": 2},
        VIDEOS,
    ),
    "PoolingViT": (
        "tokenlearner.model:PoolingViT",
        {**CLASSIFIER, **PATCHES, "pool_at": [1], "pool_windows": [2]},
        IMAGES,
    ),
    "MTV cva": (
        "mtv.model:MTV",
        {**CLIP, "views": views()[1:] + [{**views()[0], "num_layers": 2}]}
        | {"fusion": fusion("CrossViewAttention", 1)},
        VIDEOS,
    ),
    "MTV bottleneck": (
        "mtv.model:MTV",
        {**CLIP, "views": views(hidden_size=4), "fusion": fusion("Bottleneck", 1, 2)}
        | {"merge": "time", "global_hidden_size": 8},
        VIDEOS,
    ),
    "MBT": ("avmae.model:MBT", {**CLASSIFIER, **TUBELETS, "fusion_layer": 1}, AUDIOVISUAL),
    "PretrainedMBT": (
        "avmae.model:PretrainedMBT",
        {**CLASSIFIER, **TUBELETS, **LEARNED, "fusion_layer": 2, "classifier": "gap"},
        AUDIOVISUAL,
    ),
    "PretrainedViT": (
        "avmae.finetuning.model:PretrainedViT",
        {**CLASSIFIER, **LEARNED, "patch_size": (2, 8, 8), "normalize": "pooled"},
        VIDEOS,
    ),
    "MaskedAutoencoder": (
        "avmae.pretraining.model:MaskedAutoencoder",
        {**AUTOENCODER, "patch_size": (2, 8, 8), "class_token": True, "use_modality_tokens": False},
        VIDEOS,
    ),
    **{
        f"AudiovisualMaskedAutoencoder {encoder} {decoder}": (
            "avmae.pretraining.model:AudiovisualMaskedAutoencoder",
            {**AUTOENCODER, **TUBELETS, "masking_rates": {"rgb": 0.5, "audio": 0.5}}
            | {"encoder": encoder, "decoder": decoder, "fusion_layers": 1},
            AUDIOVISUAL,
        )
        for encoder, decoder in (("mid", "shared"), ("separate", "early"))
    },
}


def module_of(path: str) -> str:
    """A layer, a module that learns tokens or a head as a whole; else the path of the module."""
    path = re.sub(r"(encoderblock_\d+[^/]*|Token\w+_\d+|MAPHead_0)/.*", r"\1", path)
    return re.sub(r"/(kernel|bias|scale)$", "", path)


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_is_in_the_layer_that_it_has_always_been_in(name):
    target, fields, inputs = MODELS[name]
    model = build({"target": f"projects.{target}", **fields})
    zeros = {modality: jnp.zeros(shape) for modality, shape in inputs.items()}
    params = jax.eval_shape(lambda: model.init(jax.random.key(0), **zeros))["params"]
    paths = flatten_dict(params, sep="/")
    found = {(module_of(path), model.layers_after(path)) for path in paths}
    assert found == set(EXPECTED[name].items())


def test_a_name_that_the_models_do_not_know_is_in_no_layer():
    target, fields, _ = MODELS["FactorisedEncoder"]
    model = build({"target": f"projects.{target}", **fields})
    assert model.layers_after("adapter_0/kernel") is None
