"""VideoMAE, MAE and TimeSformer, saved by other libraries, give the same outputs here, and back."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import unflatten_dict

from projects.avmae.finetuning.model import PretrainedViT
from projects.avmae.pretrained import from_autoencoder
from scenic_video.config import build
from scenic_video.errors import UserError
from scenic_video.layers.masking import Mask, Reconstruction
from scenic_video.layers.positions import sinusoidal_positions
from scenic_video.weights.built_model import build_model
from scenic_video.weights.families.family import Weights, installed_families, recognise
from scenic_video.weights.locations.reading import read
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.reading import read_weights, to_model_weights
from scenic_video.weights.writing.conversion import write
from tests.interop.conftest import randomize, run

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

IMAGES: dict[str, Any] = {
    "hidden_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
EMBEDDING = "videomae.embeddings.patch_embeddings.projection"
CLIPS = {**IMAGES, "num_frames": 4, "tubelet_size": 2}


def clips() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 4, 32, 32, 3)).astype(np.float32)


def images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)


def outputs(model: Any, inputs: np.ndarray, **fields: Any) -> Any:
    """Of images [b, h, w, c] or clips [b, t, h, w, c]."""
    with torch.no_grad():
        return model(torch.tensor(np.moveaxis(inputs, -1, -3)), **fields)


def own_names(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The arrays of a block of VideoMAE in Hugging Face's names, by those of its own files."""
    attention = "attention.attention."
    query, key, value = (state[f"{prefix}{attention}{x}.weight"] for x in ("query", "key", "value"))
    names = {
        "norm1": "layernorm_before",
        "attn.proj": "attention.output.dense",
        "norm2": "layernorm_after",
        "mlp.fc1": "intermediate.dense",
        "mlp.fc2": "output.dense",
    }
    return {
        "attn.qkv.weight": torch.cat([query, key, value]),
        "attn.q_bias": state[f"{prefix}{attention}query.bias"],
        "attn.v_bias": state[f"{prefix}{attention}value.bias"],
        **{
            f"{own}.{leaf}": state[f"{prefix}{name}.{leaf}"]
            for own, name in names.items()
            for leaf in ("weight", "bias")
        },
    }


@pytest.mark.parametrize("pooled", [True, False])
def test_fine_tuned_video_mae(check, pooled: bool):
    config = transformers.VideoMAEConfig(**CLIPS, num_labels=5, use_mean_pooling=pooled)
    theirs = randomize(transformers.VideoMAEForVideoClassification(config))
    expected = outputs(theirs, clips()).logits.numpy()
    weights = check(theirs, {"rgb": clips()}, expected, num_classes=5)
    assert weights.preprocessing == {"num_frames": 4, "crop": 32, "rgb": IMAGENET}
    assert not any(np.any(x) for path, x in weights.params.items() if path.endswith("key/bias"))


IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.mark.parametrize("key", ["model", "module"])
@pytest.mark.parametrize("pooled", [True, False])
def test_fine_tuned_video_mae_in_its_own_names(pooled: bool, key: str, tmp_path: Path):
    config = transformers.VideoMAEConfig(
        **CLIPS, num_labels=5, use_mean_pooling=pooled, layer_norm_eps=1e-6
    )
    theirs = randomize(transformers.VideoMAEForVideoClassification(config))
    state = theirs.state_dict()
    own = {"norm": "videomae.layernorm", "fc_norm": "fc_norm", "head": "classifier"}
    own["patch_embed.proj"] = EMBEDDING
    names = [(x, y) for x, y in own.items() if f"{y}.weight" in state]
    saved = {f"{x}.{leaf}": state[f"{y}.{leaf}"] for x, y in names for leaf in ("weight", "bias")}
    for i in range(2):
        block = own_names(state, f"videomae.encoder.layer.{i}.")
        saved |= {f"blocks.{i}.{name}": array for name, array in block.items()}
    torch.save({key: saved, "epoch": 9}, tmp_path / "w.pth")

    weights = read_weights(tmp_path / "w.pth")
    assert not weights.rest
    assert "no config.json says what its inputs are" in weights.notes[-1]
    ours = run(weights, {"rgb": clips()}, num_classes=5)
    np.testing.assert_allclose(ours, outputs(theirs, clips()).logits, atol=1e-4, rtol=1e-4)
    check_written(tmp_path / "w.pth", weights)


DECODER: dict[str, Any] = {
    "decoder_hidden_size": 128,
    "decoder_num_hidden_layers": 2,
    "decoder_num_attention_heads": 2,
    "decoder_intermediate_size": 48,
}


def half_hidden(number: int) -> Mask:
    """Half of the tokens, others in each of two examples."""
    rng = np.random.default_rng(0)
    order = np.stack([rng.permutation(number) for _ in range(2)])
    return Mask(*(np.sort(x, axis=1) for x in np.split(order, 2, axis=1)))


def reconstruct(weights: Weights, inputs: np.ndarray, mask: Mask) -> Reconstruction:
    assert not weights.rest
    assert weights.model is not None
    model = build(weights.model)
    variables = {"params": unflatten_dict(dict(weights.params), sep="/")}
    return jax.jit(model.apply)(variables, rgb=inputs, masks={"rgb": mask})["rgb"]


def predicted(ours: Reconstruction, mask: Mask) -> np.ndarray:
    """The prediction for hidden tokens."""
    return np.take_along_axis(
        np.asarray(ours.prediction), np.asarray(mask.hidden)[..., None], axis=1
    )


def error(ours: Reconstruction, *, unbiased: int | None = None) -> float:
    """The mean square over the hidden tokens. Other libraries divide targets by the unbiased
    deviation of their `unbiased` values, models here by that of all of them."""
    scale = 1.0 if unbiased is None else np.sqrt(1 - 1 / unbiased)
    squares = np.square(np.asarray(ours.prediction) - scale * np.asarray(ours.target)).mean(-1)
    return float(squares[np.asarray(ours.mask) > 0].mean())


def check_written(location: Path, weights: Weights) -> dict[str, np.ndarray]:
    """What is written has the names and, to the last bit, the values of what was read."""
    file = read(location)
    written, _ = recognise(file.shapes, installed_families()).write(weights)
    assert written.keys() == file.leaves.keys()
    for name, array in file.leaves.items():
        np.testing.assert_array_equal(written[name], array)
    return written


def is_hidden(mask: Mask, number: int) -> Any:
    hidden = np.zeros((2, number), bool)
    np.put_along_axis(hidden, np.asarray(mask.hidden), True, axis=1)
    return torch.tensor(hidden)


@pytest.mark.parametrize("pooled", [True, False])
def test_video_mae_with_its_decoder(pooled: bool, tmp_path: Path):
    config = transformers.VideoMAEConfig(**CLIPS, **DECODER, use_mean_pooling=pooled)
    theirs = randomize(transformers.VideoMAEForPreTraining(config))
    theirs.save_pretrained(tmp_path)
    weights = read_weights(tmp_path)
    mask = half_hidden(32)
    expected = outputs(theirs, clips(), bool_masked_pos=is_hidden(mask, 32))
    ours = reconstruct(weights, clips(), mask)
    np.testing.assert_allclose(predicted(ours, mask), expected.logits, atol=1e-4, rtol=1e-4)
    assert error(ours, unbiased=2 * 8 * 8) == pytest.approx(float(expected.loss), rel=1e-4)
    check_written(tmp_path, weights)


def test_video_mae_with_its_decoder_in_its_own_names(tmp_path: Path):
    config = transformers.VideoMAEConfig(**CLIPS, **DECODER, use_mean_pooling=False)
    theirs = randomize(transformers.VideoMAEForPreTraining(config))
    state = theirs.state_dict()
    saved = {"mask_token": state["mask_token"]}
    saved["encoder_to_decoder.weight"] = state["encoder_to_decoder.weight"]
    own = {"encoder.norm": "videomae.layernorm", "decoder.norm": "decoder.norm"}
    own |= {"encoder.patch_embed.proj": EMBEDDING, "decoder.head": "decoder.head"}
    saved |= {f"{x}.{y}": state[f"{z}.{y}"] for x, z in own.items() for y in ("weight", "bias")}
    for x, prefix in (("encoder", "videomae.encoder.layer"), ("decoder", "decoder.decoder_layers")):
        for i in range(2):
            block = own_names(state, f"{prefix}.{i}.")
            saved |= {f"{x}.blocks.{i}.{name}": array for name, array in block.items()}
    torch.save({"model": saved}, tmp_path / "w.pth")
    weights = read_weights(tmp_path / "w.pth")
    mask = half_hidden(32)
    expected = outputs(theirs, clips(), bool_masked_pos=is_hidden(mask, 32))
    ours = reconstruct(weights, clips(), mask)
    np.testing.assert_allclose(predicted(ours, mask), expected.logits, atol=1e-4, rtol=1e-4)
    check_written(tmp_path / "w.pth", weights)


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


def check_written_folder(theirs: Any, inputs: np.ndarray, folder: Path, **mask: Any) -> Weights:
    """The library opens what is written of its model as a folder, which gives equal outputs."""
    theirs.save_pretrained(folder / "theirs")
    weights = read_weights(folder / "theirs")
    write(weights, folder / "ours", "hf-safetensors")
    opened, report = type(theirs).from_pretrained(folder / "ours", output_loading_info=True)
    assert not any(report.values())
    found, expected = (outputs(model, inputs, **mask) for model in (opened.eval(), theirs))
    np.testing.assert_array_equal(found.logits, expected.logits)
    np.testing.assert_array_equal(found.loss, expected.loss)
    return weights


def test_video_mae_with_its_decoder_is_written_as_a_folder(tmp_path: Path):
    config = transformers.VideoMAEConfig(**CLIPS, **DECODER, use_mean_pooling=False)
    theirs = randomize(transformers.VideoMAEForPreTraining(config))
    mask = is_hidden(half_hidden(32), 32)
    weights = check_written_folder(theirs, clips(), tmp_path, bool_masked_pos=mask)
    features = build_model(weights, name="ours")({"rgb": clips()})
    expected = outputs(theirs.videomae, clips()).last_hidden_state.mean(1)
    np.testing.assert_allclose(features, expected, atol=1e-4, rtol=1e-4)


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


@pytest.mark.parametrize("fine_tuned", [True, False])
def test_fine_tuning_starts_from_the_encoder_of_video_mae(fine_tuned: bool, tmp_path: Path):
    """The features of the model that starts are those of the encoder, normalised after pooling."""
    config = transformers.VideoMAEConfig(**CLIPS, **DECODER, use_mean_pooling=fine_tuned)
    classes = (transformers.VideoMAEForPreTraining, transformers.VideoMAEForVideoClassification)
    theirs = randomize(classes[fine_tuned](config))
    theirs.save_pretrained(tmp_path)
    encoder = transformers.VideoMAEModel.from_pretrained(tmp_path, use_mean_pooling=True).eval()
    norm = theirs.fc_norm if fine_tuned else theirs.videomae.layernorm
    with torch.no_grad():
        expected = norm(outputs(encoder, clips()).last_hidden_state.mean(1)).numpy()

    sizes = {"hidden_size": 192, "num_layers": 2, "num_heads": 3, "mlp_dim": 64}
    fields = {"patch_size": (2, 8, 8), "classifier": "gap", "normalize": "pooled"}
    model = PretrainedViT(num_classes=9, **sizes, **fields, exact_gelu=True)
    random = jax.device_get(jax.jit(model.init)(jax.random.key(0), rgb=clips()))["params"]
    inputs = {"rgb": clips().shape[1:-1]}
    source = to_model_weights(read_weights(tmp_path), name="VideoMAE")
    params, report = from_autoencoder(
        target=ModelWeights(random, inputs, name="the model"), source=source
    )
    _, state = model.apply({"params": params}, rgb=jnp.asarray(clips()), mutable="intermediates")
    features = np.asarray(state["intermediates"]["features"][0])
    np.testing.assert_allclose(features, expected, atol=1e-4, rtol=1e-4)
    left = [row.path for row in report.rows if row.source is None]
    assert sorted(left) == ["output_projection/bias", "output_projection/kernel"]


@pytest.mark.parametrize(
    "kind, words",
    [
        ("divided_space_time", "TimeSformer, with a linear layer after attention over time"),
        ("joint_space_time", "TimeSformer with joint attention, with a class token beside"),
        ("space_only", "TimeSformer with attention over space only, with an image model"),
    ],
)
def test_timesformer_is_refused(kind: str, words: str, tmp_path: Path):
    config = transformers.TimesformerConfig(**IMAGES, num_frames=4, attention_type=kind)
    transformers.TimesformerForVideoClassification(config).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=words):
        read_weights(tmp_path)
