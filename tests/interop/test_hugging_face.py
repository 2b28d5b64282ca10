"""Models of the library transformers, saved by it, give the same outputs here, and back."""

from typing import Any

import numpy as np
import pytest
from einops import rearrange

from scenic_video.errors import UserError
from tests.interop.conftest import randomize, read_saved, run

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

TINY: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}


def images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)


def clips() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 4, 32, 32, 3)).astype(np.float32)


def outputs(model: Any, inputs: np.ndarray, name: str = "logits") -> np.ndarray:
    """Of images [b, h, w, c] or clips [b, t, h, w, c]."""
    with torch.no_grad():
        return getattr(model(torch.tensor(np.moveaxis(inputs, -1, -3))), name).numpy()


def test_vit(check):
    names = {0: "run", 1: "jump", 2: "sit", 3: "swim", 4: "walk"}
    config = transformers.ViTConfig(**TINY, num_labels=5, id2label=names)
    theirs = randomize(transformers.ViTForImageClassification(config))
    weights = check(theirs, {"rgb": images()}, outputs(theirs, images()), num_classes=5)
    assert weights.labels == {"label": ("run", "jump", "sit", "swim", "walk")}


def test_deit(check):
    config = transformers.DeiTConfig(**TINY, num_labels=5)
    theirs = randomize(transformers.DeiTForImageClassification(config))
    weights = check(theirs, {"rgb": images()}, outputs(theirs, images()), num_classes=5)
    assert weights.labels is None  # it has only placeholders


def test_vivit(check):
    sizes = {name: x for name, x in TINY.items() if name != "patch_size"}
    config = transformers.VivitConfig(**sizes, num_frames=4, tubelet_size=[2, 8, 8], num_labels=5)
    theirs = randomize(transformers.VivitForVideoClassification(config))
    check(theirs, {"rgb": clips()}, outputs(theirs, clips()), num_classes=5)


def test_siglip(check):
    config = transformers.SiglipVisionConfig(**TINY)
    theirs = randomize(transformers.SiglipVisionModel(config))
    check(theirs, {"rgb": images()}, outputs(theirs, images(), "pooler_output"))


def test_siglip_with_a_classifier_reads_the_mean_over_patches(tmp_path):
    config = transformers.SiglipConfig(
        vision_config=TINY, text_config={"hidden_size": 32}, num_labels=5
    )
    theirs = randomize(transformers.SiglipForImageClassification(config))
    theirs.save_pretrained(tmp_path)
    _, weights, _ = read_saved(tmp_path)
    assert not weights.rest and "attention pooling is not used" in weights.notes[-1]
    ours = run(weights, {"rgb": images()}, num_classes=5)
    np.testing.assert_allclose(ours, outputs(theirs, images()), atol=1e-4, rtol=1e-4)


def test_siglip_with_its_text_tower(tmp_path):
    text = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.SiglipConfig(vision_config=TINY, text_config=text)
    theirs = randomize(transformers.SiglipModel(config))
    theirs.save_pretrained(tmp_path)
    _, weights, _ = read_saved(tmp_path)
    assert not weights.rest
    ours = run(weights, {"rgb": images()})
    expected = outputs(theirs.vision_model, images(), "pooler_output")
    np.testing.assert_allclose(ours, expected, atol=1e-4, rtol=1e-4)


def test_siglip2_of_one_size(check):
    sizes = {name: x for name, x in TINY.items() if name != "image_size"}
    config = transformers.Siglip2VisionConfig(**sizes, num_patches=16)
    theirs = randomize(transformers.Siglip2VisionModel(config))
    patches = rearrange(images(), "b (y h) (x w) c -> b (y x) (h w c)", h=8, w=8)
    with torch.no_grad():
        expected = theirs(
            torch.tensor(patches),
            pixel_attention_mask=torch.ones(2, 16),
            spatial_shapes=torch.tensor([[4, 4]] * 2),
        ).pooler_output
    weights = check(theirs, {"rgb": images()}, expected.numpy())
    assert weights.inputs == {"rgb": (1, 32, 32)}
    assert "here it takes 32x32 pixels" in weights.notes[-1]


def test_families_with_parts_that_no_model_here_has_are_refused(tmp_path):
    sizes = {name: x for name, x in TINY.items() if name != "intermediate_size"}
    dinov2 = transformers.Dinov2Model(transformers.Dinov2Config(**sizes))
    registers = transformers.Dinov2WithRegistersConfig(**sizes)
    dinov3 = transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**TINY))
    jepa = transformers.VJEPA2Config(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, crop_size=32, patch_size=16,
        frames_per_clip=4, pred_hidden_size=16, pred_num_attention_heads=2,
        pred_num_hidden_layers=1,
    )  # fmt: skip
    for index, (model, words) in enumerate(
        (
            (dinov2, "DINOv2, with LayerScale"),
            (transformers.Dinov2WithRegistersModel(registers), "DINOv2, with LayerScale"),
            (dinov3, "DINOv3, with rotary positions, registers"),
            (transformers.VJEPA2Model(jepa), "V-JEPA 2, with rotary positions"),
        )
    ):
        model.save_pretrained(tmp_path / str(index))
        with pytest.raises(UserError, match=f"weights of {words}"):
            read_saved(tmp_path / str(index))
