"""VideoPrism of the library transformers gives the same outputs here, and back."""

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
from scenic_video.weights.families.family import Weights
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.reading import read_weights, to_model_weights
from scenic_video.weights.writing import conversion
from tests.interop.conftest import randomize

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "num_spatial_layers": 2,
    "num_temporal_layers": 2,
    "num_auxiliary_layers": 1,
    "image_size": 18,
    "num_frames": 4,
    "tubelet_size": [1, 6, 6],
    "attn_logit_softcapping": 2.0,
    "num_labels": 5,
}
CONFIG = transformers.VideoPrismVisionConfig(**SIZES)


def clips(num_frames: int = 4, side: int = 18) -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(2, num_frames, side, side, 3)).astype(np.float32)


def outputs(model: Any, rgb: np.ndarray, name: str, **fields: Any) -> np.ndarray:
    with torch.no_grad():
        found = model(torch.tensor(np.moveaxis(rgb, -1, -3)), **fields)
    return getattr(found, name).numpy()


def test_the_classifier_gives_the_same_logits(check):
    theirs = randomize(transformers.VideoPrismForVideoClassification(CONFIG))
    expected = outputs(theirs, clips(), "logits")[:, 0]  # of its one query
    weights = check(theirs, {"rgb": clips()}, expected, num_classes=5)
    assert weights.model["classifier"] == "attention" and weights.model["logit_cap"] == 2.0
    assert weights.inputs == {"rgb": (4, 18, 18)}


def test_the_encoder_gives_the_same_mean_token(check):
    theirs = randomize(transformers.VideoPrismVisionModel(CONFIG))
    check(theirs, {"rgb": clips()}, outputs(theirs, clips(), "last_hidden_state").mean(axis=1))


def test_what_is_written_is_opened_by_the_library_and_gives_the_same_outputs(tmp_path):
    for theirs, name in (
        (transformers.VideoPrismForVideoClassification, "logits"),
        (transformers.VideoPrismVisionModel, "last_hidden_state"),
    ):
        model, folder = randomize(theirs(CONFIG)), tmp_path / name
        model.save_pretrained(folder / "theirs")
        conversion.write(read_weights(folder / "theirs"), folder / "ours", "hf-safetensors")
        opened = theirs.from_pretrained(folder / "ours").eval()
        processor = transformers.AutoImageProcessor.from_pretrained(folder / "ours")
        video = np.random.default_rng(1).integers(0, 256, (4, 18, 18, 3), dtype=np.uint8)
        pixels = processor([*video], return_tensors="np")["pixel_values"][0]
        np.testing.assert_allclose(np.moveaxis(pixels, -3, -1), video / np.float32(255), atol=1e-6)
        expected, found = (outputs(x, clips(), name) for x in (model, opened))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("num_frames, side", [(6, 30), (3, 12)])
def test_positions_for_other_clips_are_interpolated_alike(num_frames, side, tmp_path):
    theirs = randomize(transformers.VideoPrismForVideoClassification(CONFIG))
    theirs.save_pretrained(tmp_path)
    rgb = clips(num_frames, side)
    weights = read_weights(tmp_path)
    params = loaded(weights, rgb)
    model: VideoPrism = build({**(weights.model or {}), "num_classes": 5})
    flat = flatten_dict(params, sep="/")
    flat |= {x: weights.params[x] for x in flat if x.startswith("output_projection")}
    variables = {"params": unflatten_dict(flat, sep="/")}
    logits = jax.jit(model.apply)(variables, rgb=jnp.asarray(rgb))
    expected = outputs(theirs, rgb, "logits", interpolate_pos_encoding=True)[:, 0]
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=1e-4)


def loaded(weights: Weights, rgb: np.ndarray) -> dict[str, Any]:
    """The parameters of a model of these clips that starts from the weights."""
    model: VideoPrism = build({**(weights.model or {}), "num_classes": 5})
    variables = jax.jit(model.init)(jax.random.key(0), rgb=jnp.asarray(rgb))
    target = ModelWeights(variables["params"], {"rgb": rgb.shape[1:4]})
    return from_videoprism(target=target, source=to_model_weights(weights, name="VideoPrism"))[0]


def test_of_a_video_text_model_the_video_encoder_is_read_alone(tmp_path):
    theirs = randomize(transformers.VideoPrismVideoModel(CONFIG))
    theirs.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="write FILE:vision_model for the video encoder alone"):
        read_weights(tmp_path)
    weights = read_weights(f"{tmp_path}:vision_model")
    assert not weights.rest
    table = theirs.vision_model.temporal_embeddings.position_embeddings.detach().numpy()
    np.testing.assert_array_equal(
        weights.params["TemporalTransformer/posembed_input/pos_embedding"], table
    )


@pytest.mark.slow
def test_the_base_size_gives_the_same_mean_token(check):
    config = transformers.VideoPrismVisionConfig(num_frames=2)
    torch.manual_seed(0)
    theirs = transformers.VideoPrismVisionModel(config).eval()
    rgb = clips(2, 288)[:1]
    check(theirs, {"rgb": rgb}, outputs(theirs, rgb, "last_hidden_state").mean(axis=1))
