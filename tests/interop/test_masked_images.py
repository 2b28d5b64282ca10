"""MAE, saved by other libraries or in its own names, gives the same outputs here, and back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenic_video.layers.masking import Mask
from scenic_video.layers.positions import sinusoidal_positions
from scenic_video.weights.locations.reading import read
from scenic_video.weights.reading import read_weights
from tests.interop.conftest import randomize, run
from tests.interop.masked_models import (
    DECODER,
    IMAGES,
    check_written,
    check_written_folder,
    error,
    half_hidden,
    images,
    is_hidden,
    outputs,
    reconstruct,
)

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")


def mae(*, fixed: bool = True, **fields: Any) -> Any:
    """A model with the `fixed` positions of public files, or with others."""
    config = transformers.ViTMAEConfig(**IMAGES, **DECODER, mask_ratio=0.5, **fields)
    theirs = randomize(transformers.ViTMAEForPreTraining(config))
    for table in (theirs.vit.embeddings.position_embeddings, theirs.decoder.decoder_pos_embed):
        rows = torch.tensor(sinusoidal_positions((4, 4), table.shape[-1]))
        with torch.no_grad():
            table[0, 1:] = rows
            if not fixed:
                table.normal_(std=0.2)
    return theirs


def masked_outputs(theirs: Any, mask: Mask) -> Any:
    """Those of MAE, which hides the tokens with the largest noise."""
    return outputs(theirs, images(), noise=is_hidden(mask, 16).float())


@pytest.mark.parametrize("norm_pix_loss, fixed", [(True, True), (False, False)])
def test_mae_with_its_decoder(norm_pix_loss: bool, fixed: bool, tmp_path: Path):
    theirs = mae(norm_pix_loss=norm_pix_loss, fixed=fixed)
    theirs.save_pretrained(tmp_path)
    weights = read_weights(tmp_path)
    mask = half_hidden(16)
    expected = masked_outputs(theirs, mask)
    ours = reconstruct(weights, images(), mask)
    np.testing.assert_allclose(ours.prediction, expected.logits, atol=1e-4, rtol=1e-4)
    assert len(weights.dropped) == (2 if fixed else 0)
    unbiased = 8 * 8 * 3 if norm_pix_loss else None
    assert error(ours, unbiased=unbiased) == pytest.approx(float(expected.loss), rel=1e-4)
    check_written(tmp_path, weights)


@pytest.mark.parametrize("names", ["hub", "transformers 5", "own"])
def test_mae_by_other_names(names: str, tmp_path: Path):
    theirs = mae(layer_norm_eps=1e-6 if names == "own" else 1e-12)
    theirs.save_pretrained(tmp_path)
    if names == "transformers 5":
        saved = theirs.state_dict()
    else:
        saved = {x: torch.tensor(y) for x, y in read(tmp_path).leaves.items()}
        saved = {x.replace("decoder_encoder.layer", "decoder_layers"): y for x, y in saved.items()}
    if names == "own":
        saved = own_names_of_mae(saved)
    folder = tmp_path / "other"
    folder.mkdir()
    torch.save(saved, folder / "pytorch_model.bin")
    (folder / "config.json").write_text((tmp_path / "config.json").read_text())
    weights = read_weights(folder)
    mask = half_hidden(16)
    ours = reconstruct(weights, images(), mask)
    expected = masked_outputs(theirs, mask).logits
    np.testing.assert_allclose(ours.prediction, expected, atol=1e-4, rtol=1e-4)
    check_written(folder, weights)


def own_names_of_mae(state: dict[str, Any]) -> dict[str, Any]:
    names = {
        "vit.embeddings.patch_embeddings.projection": "patch_embed.proj",
        "vit.embeddings.position_embeddings": "pos_embed",
        "vit.embeddings.": "",
        "vit.layernorm": "norm",
        "vit.encoder.layer": "blocks",
        "decoder.decoder_layers": "decoder_blocks",
        "decoder.": "",
        "layernorm_before": "norm1",
        "layernorm_after": "norm2",
        "attention.output.dense": "attn.proj",
        "intermediate.dense": "mlp.fc1",
        "output.dense": "mlp.fc2",
        "attention.attention.": "attn.",
    }
    found = {}
    for name, array in state.items():
        for foreign, own in names.items():
            name = name.replace(foreign, own)
        found[name] = array
    for query in [name for name in found if ".query." in name]:
        parts = [found.pop(query.replace("query", x)) for x in ("query", "key", "value")]
        found[query.replace("query", "qkv")] = torch.cat(parts)
    return found


def test_mae_with_its_decoder_is_written_as_a_folder(tmp_path: Path):
    noise = is_hidden(half_hidden(16), 16).float()
    check_written_folder(mae(norm_pix_loss=True), images(), tmp_path, noise=noise)


def test_mae_after_fine_tuning_and_its_encoder_by_the_names_of_timm(tmp_path: Path):
    timm = pytest.importorskip("timm")
    sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 192, "depth": 2, "num_heads": 3}
    for pooling, classes in (("avg", 5), ("token", 0)):
        name = "vit_tiny_patch16_224"
        fields = {"global_pool": pooling, "num_classes": classes}
        theirs = randomize(timm.create_model(name, **sizes, **fields))
        torch.save({"model": theirs.state_dict()}, tmp_path / "w.pth")
        weights = read_weights(tmp_path / "w.pth")
        assert not weights.rest
        assert weights.inputs == {"rgb": (1, 32, 32)}
        ours = run(weights, {"rgb": images()}, num_classes=classes or None)
        np.testing.assert_allclose(ours, outputs(theirs, images()), atol=1e-4, rtol=1e-4)
        check_written(tmp_path / "w.pth", weights)


@pytest.mark.slow
def test_mae_of_base_size(tmp_path: Path):
    theirs = transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig()).eval()
    theirs.save_pretrained(tmp_path)
    weights = read_weights(tmp_path)
    inputs = np.random.default_rng(0).normal(size=(2, 224, 224, 3)).astype(np.float32)
    shuffled = np.random.default_rng(1).permuted(np.tile(np.arange(196), (2, 1)), axis=1)
    mask = Mask(hidden=shuffled[:, 49:], visible=shuffled[:, :49])
    expected = outputs(theirs, inputs, noise=is_hidden(mask, 196).float()).logits
    ours = reconstruct(weights, inputs, mask)
    np.testing.assert_allclose(ours.prediction, expected, atol=1e-4, rtol=1e-4)
    check_written(tmp_path, weights)
