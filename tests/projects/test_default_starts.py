"""The function that initialises a model if the config names none, by the kinds of the two."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from projects.avmae.finetuning.model import PretrainedViT
from projects.avmae.model import MBT, PretrainedMBT
from projects.avmae.pretraining.model import AudiovisualMaskedAutoencoder, MaskedAutoencoder
from projects.avmae.spectrograms.model import SpectrogramTransformer
from projects.mtv.model import MTV
from projects.mtv.views import View
from projects.tokenlearner.model import PoolingViT, TokenLearnerViT, TokenLearnerViViT
from projects.vivit.model import (
    FactorisedDotProduct,
    FactorisedEncoder,
    FactorisedSelfAttention,
    SpatioTemporalAttention,
    ViT,
)
from projects.vivit.videoprism.model import VideoPrism
from scenic_video.config import build, resolve
from scenic_video.runs.config_nodes import SAME_PATHS, complete
from scenic_video.weights.model_weights import ModelWeights
from tests.helpers.drawn import parameters

SIZE: dict[str, Any] = {"hidden_size": 24, "mlp_dim": 24, "num_layers": 2, "num_heads": 2}
FRAME: dict[str, Any] = {"rgb": jnp.zeros((1, 16, 16, 3))}
CLIP: dict[str, Any] = {"rgb": jnp.zeros((1, 4, 16, 16, 3))}
AUDIO: dict[str, Any] = {"audio": jnp.zeros((1, 16, 16, 1))}
BOTH = CLIP | AUDIO
HEAD: dict[str, Any] = SIZE | {"num_classes": 3}
CLIPS: dict[str, Any] = HEAD | {"tubelet_size": (2, 8, 8)}
MASKED: dict[str, Any] = SIZE | {
    "decoder_hidden_size": 8,
    "decoder_mlp_dim": 8,
    "decoder_num_layers": 1,
    "decoder_num_heads": 2,
}
VIEW = View(**SIZE, tubelet_size=(2, 8, 8))
GLOBAL: dict[str, Any] = {"global_mlp_dim": 8, "global_num_layers": 1, "global_num_heads": 2}
LEARN: dict[str, Any] = {"token_learner_at": 1, "num_tokens": 2, "bottleneck_dim": 4}
TOKENS = LEARN | HEAD

MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "vit": (ViT(**HEAD, patch_size=(8, 8)), FRAME),
    "vit without class token": (ViT(**HEAD, patch_size=(8, 8), classifier="gap"), FRAME),
    "deit": (ViT(**HEAD, patch_size=(8, 8), distillation_token=True), FRAME),
    "joint": (SpatioTemporalAttention(**CLIPS), CLIP),
    "joint gap": (SpatioTemporalAttention(**CLIPS, classifier="gap"), CLIP),
    "encoder": (FactorisedEncoder(**CLIPS, temporal_num_layers=1), CLIP),
    "self-attention": (FactorisedSelfAttention(**CLIPS), CLIP),
    "dot-product": (FactorisedDotProduct(**CLIPS), CLIP),
    "videoprism": (VideoPrism(**HEAD, temporal_num_layers=1, patch_size=(8, 8)), CLIP),
    "videoprism gap": (
        VideoPrism(**HEAD, temporal_num_layers=1, patch_size=(8, 8), classifier="gap"),
        CLIP,
    ),
    "mtv": (MTV(num_classes=3, views=(VIEW,), **GLOBAL), CLIP),
    "mtv gap": (MTV(num_classes=3, views=(VIEW,), classifier="gap", **GLOBAL), CLIP),
    "tokenlearner": (TokenLearnerViT(**TOKENS, patch_size=(8, 8)), FRAME),
    "pooling": (
        PoolingViT(**HEAD, patch_size=(8, 8), pool_at=(1,), pool_windows=(2,)),
        FRAME,
    ),
    "tokenlearner 2+1": (
        TokenLearnerViViT(**TOKENS, tubelet_size=(2, 8, 8), num_extra_layers=1),
        CLIP,
    ),
    "mbt": (MBT(**CLIPS, fusion_layer=1, num_bottlenecks=2), BOTH),
    "finetuned mbt": (PretrainedMBT(**CLIPS, fusion_layer=1, classifier="gap"), BOTH),
    "pretrained": (PretrainedViT(**HEAD, patch_size=(2, 8, 8), positions="learned"), CLIP),
    "pooled": (
        PretrainedViT(**HEAD, patch_size=(2, 8, 8), classifier="gap", normalize="pooled"),
        CLIP,
    ),
    "pretrained audio": (
        PretrainedViT(**HEAD, patch_size=(8, 8), modality="audio", positions="learned"),
        AUDIO,
    ),
    "autoencoder": (MaskedAutoencoder(**MASKED, patch_size=(2, 8, 8)), CLIP),
    "audiovisual": (
        AudiovisualMaskedAutoencoder(
            **MASKED,
            tubelet_size=(2, 8, 8),
            masking_rates={"rgb": 0.5, "audio": 0.5},
            encoder="separate",
        ),
        BOTH,
    ),
    "spectrograms": (SpectrogramTransformer(**HEAD, patch_size=(8, 8)), AUDIO),
}


def weights(name, seed=0, grid=None):
    model, inputs = MODELS[name]
    sizes = {modality: array.shape[1:-1] for modality, array in inputs.items()}
    return ModelWeights(parameters(model, seed=seed, **inputs), sizes, name=name)


VIVIT, PRISM = "projects.vivit.pretrained", "projects.vivit.videoprism.pretrained"
LEARNER, VIEWS = "projects.tokenlearner.pretrained", "projects.mtv.pretrained"
AVMAE, SOUND = "projects.avmae.pretrained", "projects.avmae.audio_models"


@pytest.mark.parametrize(
    ("target", "source", "function"),
    [
        ("vit", "vit", f"{VIVIT}:from_same_model"),
        ("vit", "vit without class token", f"{VIVIT}:from_image_model"),
        ("vit without class token", "deit", f"{VIVIT}:from_image_model"),
        ("joint", "vit", f"{VIVIT}:from_image_model"),
        ("encoder", "deit", f"{VIVIT}:from_image_model"),
        ("joint", "joint", f"{VIVIT}:from_same_model"),
        ("joint", "joint gap", f"{VIVIT}:from_video_model"),
        ("encoder", "joint gap", f"{VIVIT}:from_video_model"),
        ("self-attention", "joint", f"{VIVIT}:from_video_model"),
        ("dot-product", "joint", f"{VIVIT}:from_video_model"),
        ("videoprism", "videoprism", f"{PRISM}:from_same_model"),
        ("videoprism", "videoprism gap", f"{PRISM}:from_videoprism"),
        ("mtv", "mtv", f"{VIEWS}:from_same_model"),
        ("mtv", "vit", f"{VIEWS}:from_image_models"),
        ("mtv", "vit without class token", f"{VIEWS}:from_image_models"),
        ("mtv gap", "deit", f"{VIEWS}:from_image_models"),
        ("tokenlearner", "tokenlearner", f"{LEARNER}:from_same_model"),
        ("tokenlearner", "deit", f"{LEARNER}:from_image_model"),
        ("pooling", "vit", f"{LEARNER}:from_image_model"),
        ("tokenlearner 2+1", "vit", f"{LEARNER}:from_image_model"),
        ("tokenlearner 2+1", "joint", f"{LEARNER}:from_video_model"),
        ("mbt", "mbt", f"{AVMAE}:from_same_model"),
        ("mbt", "vit without class token", f"{AVMAE}:from_image_model"),
        ("mbt", "deit", f"{AVMAE}:from_image_model"),
        ("finetuned mbt", "audiovisual", f"{AVMAE}:from_autoencoder"),
        ("pretrained", "joint", f"{AVMAE}:from_classifier"),
        ("pretrained", "vit", f"{AVMAE}:from_classifier"),
        ("pooled", "autoencoder", f"{AVMAE}:from_autoencoder"),
        ("pretrained audio", "spectrograms", f"{SOUND}:from_audio_model"),
    ],
)
def test_the_function_is_chosen_by_the_source_and_stated(target, source, function):
    model, _ = MODELS[target]
    start = {"target": type(model).starts_by}
    _, report = build(start, target=weights(target), source=weights(source, seed=1))
    assert report.chosen.startswith(f"init.target: {function}, as ")
    assert report.chosen in str(report) and report.to_json()["chosen"] == report.chosen
    assert report.coverage > 0.1
    resolve(function)


def test_several_sources_are_one_per_view_or_one_per_modality():
    start = {"target": MTV.starts_by}
    _, report = build(start, target=weights("mtv"), source=[weights("vit")])
    assert ":from_image_models, as" in report.chosen
    start = {"target": MBT.starts_by}
    sources = [weights("spectrograms"), weights("vit")]
    _, report = build(start, target=weights("mbt"), source=sources)
    assert ":from_audio_model, as" in report.chosen


def test_image_models_of_different_widths_may_be_in_any_order():
    finer = View(16, 24, num_layers=1, num_heads=2, tubelet_size=(2, 4, 4))
    model = MTV(num_classes=3, views=(VIEW, finer), **GLOBAL)
    target = ModelWeights(parameters(model, **CLIP), {"rgb": (4, 16, 16)})
    narrow = ViT(
        num_classes=3, patch_size=(4, 4), hidden_size=16, mlp_dim=24, num_layers=1, num_heads=2
    )
    images = [weights("vit"), ModelWeights(parameters(narrow, **FRAME), name="narrow")]
    start = {"target": MTV.starts_by}
    for source in (images, images[::-1]):
        params, report = build(start, target=target, source=source)
        assert report.chosen.endswith("they are of the views 0 up: vit, narrow")
        kernel = source[source is not images].params["embedding"]["kernel"]
        np.testing.assert_array_equal(params["embedding_view0"]["kernel"][1], kernel)
    with pytest.raises(ValueError, match="2 views start from image models, but .* has 3"):
        build(start, target=target, source=[*images, images[0]])


def test_a_vivit_from_an_autoencoder_is_an_error_that_names_the_function():
    for source in ("autoencoder", "pooled"):
        with pytest.raises(ValueError, match="avmae.pretrained:from_autoencoder"):
            build({"target": ViT.starts_by}, target=weights("joint gap"), source=weights(source))


def test_a_config_without_a_target_has_that_of_its_model():
    nodes: dict[str, Any] = dict.fromkeys(
        ("dataset", "preprocessing", "learning_rate", "optimizer", "trainer"), {}
    )

    def target_of(model, **init):
        return complete(nodes | {"model": {"target": model}, "init": init})["init"]["target"]

    assert target_of("projects.mtv.model:MTV", path="f") == MTV.starts_by
    assert target_of("projects.mtv.model:MTV", target="a:b") == "a:b"
    assert target_of("flax.linen:Dense") == target_of("no.such.module:Model") == SAME_PATHS
