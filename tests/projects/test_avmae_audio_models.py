"""MBT starts its audio stream from models of audio alone."""

from typing import Any

import jax
import numpy as np
import pytest
from flax.traverse_util import unflatten_dict

from projects.avmae.audio_models import from_audio_model
from projects.avmae.finetuning.model import PretrainedViT
from projects.avmae.model import MBT
from projects.avmae.spectrograms.model import SpectrogramTransformer
from projects.vivit.model import ViT
from scenic_video.errors import UserError
from scenic_video.weights.model_weights import ModelWeights
from tests.helpers.drawn import leaves, parameters

SIZES: dict[str, Any] = {"hidden_size": 16, "mlp_dim": 16, "num_layers": 2, "num_heads": 2}
SIZES |= {"num_classes": 3}
AUDIO = jax.random.normal(jax.random.key(0), (2, 24, 16, 1))
CLIPS = jax.random.normal(jax.random.key(1), (2, 4, 16, 16, 3))
ALONE: dict[str, Any] = {"modalities": ("audio",), "fusion_layer": 2, "num_bottlenecks": 0}
TUBELETS: dict[str, Any] = {"tubelet_size": (2, 8, 8)}


def audio_model(**fields: Any) -> tuple[Any, ModelWeights]:
    model = SpectrogramTransformer(**SIZES, patch_size=(8, 8), **fields)
    params = parameters(model, audio=AUDIO)
    stride = fields.get("patch_stride") or (8, 8)
    grid = tuple((n - 8) // step + 1 for n, step in zip((24, 16), stride, strict=True))
    return model, ModelWeights(params, {"audio": (24, 16)}, grid, name="audio.pth")


def target_weights(model: Any, **inputs: Any) -> ModelWeights:
    sizes = {"rgb": CLIPS.shape[1:4], "audio": AUDIO.shape[1:3]}
    params = parameters(model, seed=1, **inputs)
    return ModelWeights(params, {name: sizes[name] for name in inputs})


def features(model: Any, params: Any) -> np.ndarray:
    _, state = model.apply({"params": params}, audio=AUDIO, mutable="intermediates")
    return np.asarray(state["intermediates"]["features"][0])


def fixed() -> tuple[Any, ModelWeights]:
    """As AudioMAE is pretrained."""
    return audio_model(positions="sinusoidal", normalize="tokens")


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_a_stream_of_audio_alone_gives_the_features_of_audiomae(positions: Any):
    model, source = fixed()
    fine: Any = MBT(**SIZES, **ALONE, **TUBELETS, positions=positions)
    params, report = from_audio_model(target=target_weights(fine, audio=AUDIO), source=source)
    expected = features(model, source.params)
    np.testing.assert_allclose(features(fine, params), expected, atol=1e-5)
    assert set(report.unused) == {"output_projection/kernel", "output_projection/bias"}


def test_so_does_a_model_to_be_fine_tuned():
    model, source = fixed()
    fine: Any = PretrainedViT(
        **SIZES, modality="audio", patch_size=(8, 8), positions="sinusoidal", classifier="token"
    )
    params, _ = from_audio_model(target=target_weights(fine, audio=AUDIO), source=source)
    np.testing.assert_allclose(features(fine, params), features(model, source.params), atol=1e-5)


def test_ast_without_overlap_and_distillation_token_is_a_stream_of_audio():
    _, source = audio_model(distillation_token=True)
    without: Any = SpectrogramTransformer(**SIZES, patch_size=(8, 8), normalize="tokens")
    flat = dict(source.flat)
    table = flat["Transformer/posembed_input/pos_embedding"]
    names = parameters(without, audio=AUDIO)
    expected = leaves(names) | {name: x for name, x in flat.items() if name in leaves(names)}
    expected["Transformer/posembed_input/pos_embedding"] = table[:, [0, *range(2, 8)]]
    fine: Any = MBT(**SIZES, **ALONE, **TUBELETS)
    params, report = from_audio_model(target=target_weights(fine, audio=AUDIO), source=source)
    np.testing.assert_allclose(
        features(fine, params), features(without, unflatten_dict(expected, sep="/")), atol=1e-5
    )
    assert "cls_distillation" in report.unused


def test_positions_of_overlapping_patches_are_resampled():
    _, source = audio_model(patch_stride=(4, 2), distillation_token=True)
    fine: Any = MBT(**SIZES, **ALONE, **TUBELETS)
    _, report = from_audio_model(target=target_weights(fine, audio=AUDIO), source=source)
    transforms = {row.transform for row in report.rows if "pos_embedding" in row.path}
    assert transforms == {"resample 5 x 5 to 3 x 2"}


def test_both_streams_start_from_an_audio_and_an_image_model():
    _, source = audio_model(distillation_token=True)
    image: Any = ViT(**SIZES, patch_size=(8, 8))
    pixels = jax.random.normal(jax.random.key(2), (1, 16, 16, 3))
    weights = ModelWeights(parameters(image, rgb=pixels), {"rgb": (1, 16, 16)}, name="image.npz")
    both: Any = MBT(**SIZES, **TUBELETS, fusion_layer=1, classifier="gap")
    target = target_weights(both, rgb=CLIPS, audio=AUDIO)
    params, report = from_audio_model(target=target, source=[source, weights])
    flat = leaves(params)
    block = "Transformer/encoderblock_1{}/MlpBlock_0/Dense_0/kernel"
    old = block.format("")
    np.testing.assert_array_equal(flat[block.format("_spectrogram")], source.flat[old])
    np.testing.assert_array_equal(flat[old], weights.flat[old])
    norm = "Transformer/encoder_norm/scale"
    np.testing.assert_array_equal(flat[norm], weights.flat[norm])
    random = {row.path for row in report.rows if row.source is None}
    assert random == {"bottleneck", "output_projection/kernel", "output_projection/bias"}


def test_a_video_stream_without_a_source_must_be_declared():
    _, source = audio_model()
    both: Any = MBT(**SIZES, **TUBELETS, fusion_layer=1, classifier="gap")
    target = target_weights(both, rgb=CLIPS, audio=AUDIO)
    with pytest.raises(UserError, match="embedding/kernel"):
        from_audio_model(target=target, source=source)
    random = [r"embedding/.*", r"Transformer/(encoderblock_\d+|posembed_input|encoder_norm)/.*"]
    _, report = from_audio_model(target=target, source=source, allow_random=random)
    assert report.rows


def test_a_model_of_videos_is_refused():
    fine: Any = MBT(**SIZES, **ALONE, **TUBELETS)
    target = target_weights(fine, audio=AUDIO)
    source = ModelWeights({"embedding": {"kernel": np.zeros((2, 8, 8, 3, 16))}}, name="v.npz")
    with pytest.raises(UserError, match="v.npz are not those of an audio model"):
        from_audio_model(target=target, source=source)
