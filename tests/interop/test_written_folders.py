"""What `weights convert` writes is opened by the libraries, with the same outputs."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from projects.avmae.finetuning.model import PretrainedViT
from projects.vivit.model import SpatioTemporalAttention, ViT
from scenic_video.weights.built_model import build_model
from scenic_video.weights.families.family import Weights
from scenic_video.weights.reading import read_weights
from scenic_video.weights.writing.conversion import read_whole, write
from tests.helpers.drawn import leaves, parameters
from tests.interop.conftest import randomize

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

SIZES: dict[str, Any] = {"hidden_size": 32, "mlp_dim": 64, "num_layers": 2, "num_heads": 4}
NAMES = ("run", "jump", "sit")
POOLED = {"classifier": "gap", "normalize": "pooled"}
PIXELS = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.3)}


def weights_of(kind: Any, frames: int, **fields: Any) -> Weights:
    """Random weights of a model for inputs of 32 x 32 pixels."""
    name = f"{kind.__module__}:{kind.__name__}"
    size = (frames, 32, 32)
    fields = {**SIZES, **fields}
    model = kind(num_classes=3, **fields)
    found = leaves(parameters(model, rgb=np.zeros((1, *size, 3), np.float32)))
    return Weights(
        family="a test",
        params={path: np.asarray(x) for path, x in found.items()},
        model={"target": name, **fields},
        labels={"label": NAMES},
        inputs={"rgb": size},
        preprocessing={"num_frames": frames, "resize": 40, "crop": 32, "rgb": PIXELS},
    )


def check(folder: Path, weights: Weights, architecture: str) -> Any:
    """`from_pretrained` gives the logits of the model here, without a word on missing weights."""
    write(weights, folder, "hf-safetensors")
    kind = getattr(transformers, architecture)
    theirs, report = kind.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values())
    ours = build_model(weights, name="ours")
    inputs = ours.random_inputs(2, seed=0)
    pixels = np.moveaxis(inputs["rgb"], -1, -3)
    pixels = pixels[:, 0] if architecture.endswith("ImageClassification") else pixels
    with torch.no_grad():
        logits = theirs.eval()(torch.tensor(pixels)).logits.numpy()
    np.testing.assert_allclose(logits, ours(inputs), atol=1e-4, rtol=1e-4)
    assert theirs.config.id2label == dict(enumerate(NAMES))
    return theirs


@pytest.mark.parametrize(
    "architecture, fields",
    [
        ("ViTForImageClassification", {"exact_gelu": True, "norm_epsilon": 1e-12}),
        ("ViTForImageClassification", {}),
        ("DeiTForImageClassification", {"distillation_token": True, "exact_gelu": True}),
    ],
)
def test_images(tmp_path, architecture, fields):
    weights = weights_of(ViT, 1, patch_size=(8, 8), **fields)
    check(tmp_path / "hf", weights, architecture)


def test_clips(tmp_path):
    weights = weights_of(SpatioTemporalAttention, 4, tubelet_size=(2, 8, 8))
    theirs = check(tmp_path / "hf", weights, "VivitForVideoClassification")
    assert theirs.config.tubelet_size == [2, 8, 8]


def test_siglip(tmp_path):
    weights = weights_of(ViT, 1, patch_size=(8, 8), classifier="map")
    body = {path: x for path, x in weights.params.items() if "output_projection" not in path}
    weights = dataclasses.replace(weights, params=body, labels=None)
    write(weights, tmp_path / "hf", "hf-safetensors")
    kind = transformers.SiglipVisionModel
    theirs, report = kind.from_pretrained(tmp_path / "hf", output_loading_info=True)
    assert not any(report.values())
    ours = build_model(weights, name="ours")
    inputs = ours.random_inputs(2, seed=0)
    with torch.no_grad():
        pixels = torch.tensor(np.moveaxis(inputs["rgb"][:, 0], -1, 1))
        pooled = theirs.eval()(pixels).pooler_output.numpy()
    np.testing.assert_allclose(pooled, ours(inputs), atol=1e-4, rtol=1e-4)


VIDEO_MAE = {"exact_gelu": True, "norm_epsilon": 1e-12, "patch_size": (2, 8, 8)}


def without_key_biases(weights: Weights) -> Weights:
    """They change no output, and VideoMAE has none."""
    params = {p: x * (not p.endswith("key/bias")) for p, x in weights.params.items()}
    return dataclasses.replace(weights, params=params)


@pytest.mark.parametrize("fields", [POOLED, {"classifier": "0"}])
def test_video_mae(tmp_path, fields):
    weights = weights_of(PretrainedViT, 4, **VIDEO_MAE, **fields)
    check(tmp_path / "hf", weights, "VideoMAEForVideoClassification")


def test_video_mae_in_its_own_names(tmp_path):
    """PyTorch opens it, and nothing changes when it is read and written again."""
    fields = {**VIDEO_MAE, "norm_epsilon": 1e-6, "hidden_size": 192, "num_heads": 3}
    weights = without_key_biases(weights_of(PretrainedViT, 4, **fields, **POOLED))
    write(weights, tmp_path / "a.pth", "videomae-pth")
    saved = torch.load(tmp_path / "a.pth", weights_only=True)
    assert saved.keys() == {"model"} and "blocks.1.attn.q_bias" in saved["model"]
    write(read_whole(tmp_path / "a.pth"), tmp_path / "b.pth", "videomae-pth")
    found = torch.load(tmp_path / "b.pth", weights_only=True)["model"]
    assert found.keys() == saved["model"].keys()
    assert all(torch.equal(found[name], x) for name, x in saved["model"].items())


def test_the_processor_normalises_as_here(tmp_path):
    write(weights_of(ViT, 1, patch_size=(8, 8)), tmp_path / "hf", "hf-safetensors")
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path / "hf")
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    found = processor(images=image, return_tensors="np")["pixel_values"][0]
    expected = (image[4:36, 9:41] / 255 - PIXELS["mean"]) / PIXELS["std"]
    np.testing.assert_allclose(np.moveaxis(found, 0, -1), expected, atol=1e-5)


def test_the_processor_of_clips_normalises_as_here(tmp_path):
    weights = weights_of(SpatioTemporalAttention, 4, tubelet_size=(2, 8, 8))
    write(weights, tmp_path / "hf", "hf-safetensors")
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path / "hf")
    clip = np.random.default_rng(0).integers(0, 256, (4, 40, 50, 3)).astype(np.uint8)
    found = np.asarray(processor(list(clip), return_tensors="np")["pixel_values"][0])
    expected = (clip[:, 4:36, 9:41] / 255 - PIXELS["mean"]) / PIXELS["std"]
    np.testing.assert_allclose(np.moveaxis(found, -3, -1), expected, atol=1e-5)


@pytest.mark.parametrize("classifier", ["token", "map", "gap"])
def test_timm_opens_npz(tmp_path, classifier):
    timm = pytest.importorskip("timm")
    sizes = {"embed_dim": 32, "depth": 2, "num_heads": 4, "mlp_ratio": 2, "img_size": 32}
    pooling = {"token": "token", "map": "map", "gap": "avg"}[classifier]
    options = {"global_pool": pooling, "class_token": classifier == "token", "num_classes": 3}
    norm = {"fc_norm": False} if classifier == "gap" else {}
    theirs = timm.models.VisionTransformer(
        patch_size=8, **sizes, **options, **norm, act_layer="gelu_tanh"
    )
    randomize(theirs)
    weights = weights_of(ViT, 1, patch_size=(8, 8), classifier=classifier)
    write(weights, tmp_path / "vit.npz", "npz")
    theirs.load_pretrained(str(tmp_path / "vit.npz"))
    ours = build_model(weights, name="ours")
    inputs = ours.random_inputs(2, seed=0)
    with torch.no_grad():
        logits = theirs.eval()(torch.tensor(np.moveaxis(inputs["rgb"][:, 0], -1, 1))).numpy()
    np.testing.assert_allclose(logits, ours(inputs), atol=1e-4, rtol=1e-4)


def test_a_file_of_timm_goes_to_hugging_face_and_back(tmp_path):
    timm = pytest.importorskip("timm")
    sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 192, "depth": 2, "num_classes": 3}
    theirs = randomize(timm.create_model("vit_tiny_patch16_224", **sizes))
    torch.save(theirs.state_dict(), tmp_path / "timm.pth")
    write(read_whole(tmp_path / "timm.pth"), tmp_path / "hf", "hf-safetensors")
    write(read_whole(tmp_path / "hf"), tmp_path / "vit.npz", "npz")
    expected = read_weights(tmp_path / "timm.pth").params
    found = read_weights(tmp_path / "vit.npz").params
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[path], x) for path, x in expected.items())
