"""VideoMAE, saved by transformers or in its own names, gives the same outputs here, and back;
TimeSformer is refused."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.avmae.finetuning.model import PretrainedViT
from projects.avmae.pretrained import from_autoencoder
from scenic_video.errors import UserError
from scenic_video.weights.built_model import build_model
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.reading import read_weights, to_model_weights
from tests.interop.conftest import randomize, run
from tests.interop.masked_models import (
    CLIPS,
    DECODER,
    EMBEDDING,
    IMAGES,
    check_written,
    check_written_folder,
    clips,
    error,
    half_hidden,
    is_hidden,
    outputs,
    predicted,
    reconstruct,
)

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")


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


def test_video_mae_with_its_decoder_is_written_as_a_folder(tmp_path: Path):
    config = transformers.VideoMAEConfig(**CLIPS, **DECODER, use_mean_pooling=False)
    theirs = randomize(transformers.VideoMAEForPreTraining(config))
    mask = is_hidden(half_hidden(32), 32)
    weights = check_written_folder(theirs, clips(), tmp_path, bool_masked_pos=mask)
    features = build_model(weights, name="ours")({"rgb": clips()})
    expected = outputs(theirs.videomae, clips()).last_hidden_state.mean(1)
    np.testing.assert_allclose(features, expected, atol=1e-4, rtol=1e-4)


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


@pytest.mark.slow
def test_video_mae_of_base_size(check):
    theirs = randomize(transformers.VideoMAEForVideoClassification(transformers.VideoMAEConfig()))
    inputs = np.random.default_rng(0).normal(size=(1, 16, 224, 224, 3)).astype(np.float32)
    with torch.no_grad():  # with larger values, 768 channels lose too many digits in float32
        for parameter in theirs.parameters():
            if parameter.ndim > 1:
                parameter.mul_(0.1)
    check(theirs, {"rgb": inputs}, outputs(theirs, inputs).logits.numpy(), num_classes=2)


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
