"""Masked autoencoders against the public implementation's outputs and parameter trees."""

import functools
import re
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.avmae.pretraining.model import AudiovisualMaskedAutoencoder, MaskedAutoencoder
from scenic_video.layers.masking import (
    Mask,
    Reconstruction,
    Standardization,
    reconstruction_target,
)
from scenic_video.tasks.masked_reconstruction import MaskedReconstruction
from tests.helpers.from_config import from_config
from tests.helpers.golden import (
    assert_close,
    assert_tree,
    read_case,
    read_trees,
    renamed,
    shapes_of,
)

slow = pytest.mark.slow  # minutes, all together

TINY: dict[str, Any] = {
    "hidden_size": 32,
    "mlp_dim": 64,
    "num_layers": 3,
    "num_heads": 4,
    "decoder_hidden_size": 24,
    "decoder_mlp_dim": 48,
    "decoder_num_layers": 2,
    "decoder_num_heads": 3,
}
RATES = {"rgb": 0.9, "audio": 0.7}
ON_GRID = {"positions": "sinusoidal", "decoder_positions": "sinusoidal"}
VIDEO: dict[str, Any] = TINY | {"patch_size": (2, 8, 8), "masking_rate": 0.75}
IMAGE: dict[str, Any] = VIDEO | ON_GRID | {"patch_size": (8, 8), "class_token": True}
BOTH: dict[str, Any] = TINY | {
    "tubelet_size": (2, 8, 8),
    "masking_rates": RATES,
    "fusion_layers": 1,
}
RGB: dict[str, Any] = BOTH | {
    "modalities": ("rgb",),
    "masking_rates": {"rgb": RATES["rgb"]},
    "encoder": "separate",
}
AUDIO: dict[str, Any] = BOTH | {
    "modalities": ("audio",),
    "masking_rates": {"audio": RATES["audio"]},
    "encoder": "separate",
}
Audiovisual = AudiovisualMaskedAutoencoder

FAST = ("mae_image_token", "avmae_mid_shareddec")
"""Whose outputs every run of the tests compares; the others are slow tests."""

MODELS: dict[str, Any] = {
    "mae_image_token": MaskedAutoencoder(**IMAGE),
    "mae_video_random_sincos1d_none": MaskedAutoencoder(**VIDEO),
    "mae_video_tube_sincos1d_none": MaskedAutoencoder(**VIDEO, masking="tube"),
    "avmae_early_earlydec": Audiovisual(**BOTH, encoder="early", decoder="early"),
    "avmae_mid_shareddec": Audiovisual(**BOTH),
    "avmae_shared_shareddec": Audiovisual(**BOTH, encoder="shared"),
    "avmae_inpainting_mid_shareddec": Audiovisual(**BOTH, objective="public_inpainting"),
    "avmae_single_rgb": Audiovisual(**RGB),
    "avmae_single_spectrogram": Audiovisual(**AUDIO),
}


def sized(model, size, **fields):
    width, layers, decoder = {"B": (768, 12, (384, 6)), "L": (1024, 24, (512, 8))}[size]
    decoder_width, decoder_heads = decoder
    defaults = {
        "hidden_size": width,
        "mlp_dim": 4 * width,
        "num_layers": layers,
        "num_heads": width // 64,
        "decoder_hidden_size": decoder_width,
        "decoder_mlp_dim": 4 * decoder_width,
        "decoder_num_layers": 4,
        "decoder_num_heads": decoder_heads,
    }
    return model(**defaults | fields)


def audiovisual(encoder, decoder, size="B", **fields):
    rates = {name: RATES[name] for name in fields.get("modalities", RATES)}
    fields = {"encoder": encoder, "decoder": decoder, "masking_rates": rates} | fields
    return sized(Audiovisual, size, **fields)


IMAGE_DECODER: dict[str, Any] = ON_GRID | {
    "decoder_hidden_size": 512,
    "decoder_mlp_dim": 2048,
    "decoder_num_layers": 8,
    "decoder_num_heads": 16,
    "patch_size": (16, 16),
    "class_token": True,
}
ENCODERS = {
    "concat_and_encode": "early",
    "separate_encoders_and_concat": "mid",
    "same_encoder": "shared",
    "separate_encoders": "separate",
}
DECODERS = {
    "concat_and_decode": "early",
    "same_decoder": "shared",
    "separate_decoders": "separate",
}
TREES: dict[str, Any] = {
    f"avmae_pretrain_b16x2_{theirs}__{decoders}": audiovisual(ours, decoder)
    for theirs, ours in ENCODERS.items()
    for decoders, decoder in DECODERS.items()
    if (ours, decoder) != ("separate", "separate")
}
TREES |= {
    f"avmae_pretrain_l16x2_{theirs}__same_decoder": audiovisual(ours, "shared", "L")
    for theirs, ours in ENCODERS.items()
}
TREES |= {
    "mae_vit_b16_pretrain": sized(MaskedAutoencoder, "B", **IMAGE_DECODER),
    "mae_vit_l16_pretrain": sized(MaskedAutoencoder, "L", **IMAGE_DECODER),
    "mae_vivit_b16x2_pretrain": sized(MaskedAutoencoder, "B", masking="tube"),
    "mae_vivit_l16x2_pretrain": sized(MaskedAutoencoder, "L", masking="tube"),
    "avmae_pretrain_b16x2_inpainting": audiovisual("separate", "separate", objective="inpainting"),
    "avmae_pretrain_b16x2_midfusion_modality_tokens": audiovisual(
        "mid", "shared", use_modality_tokens=True
    ),
    "avmae_pretrain_b16x2_pe_learned_1d_sinusoidal_1d": audiovisual(
        "separate", "shared", positions="learned"
    ),
    "avmae_pretrain_b16x2_rgb_only": audiovisual("separate", "shared", modalities=("rgb",)),
    "avmae_pretrain_b16x2_spectrogram_only": audiovisual(
        "separate", "shared", modalities=("audio",)
    ),
}


def golden(name):
    """The case, its parameters, inputs, masks and outputs; the latter by name and modality."""
    case = read_case(name)
    inputs = {modality_of(path): x for path, x in case.inputs.items()}
    arrays = {}
    for path, array in case.outputs.items():
        stem = path if modality_of(path) == "rgb" and "rgb" not in path else path.rpartition("/")[0]
        arrays[stem, modality_of(path)] = array
    masks = {
        modality: Mask(
            *(arrays[f"mask/{kind}_indices", modality] for kind in ("masked", "unmasked"))
        )
        for modality in inputs
    }
    return case, case.params, inputs, masks, arrays


def modality_of(path):
    return "audio" if path.endswith("audio") else "rgb"


def run(model, params, inputs, *, masks=None, **options):
    """One forward pass, compiled once a model."""
    given = {} if masks is None else {"masks": masks}
    return compiled(model, **options)(params, inputs | given)


@functools.cache
def compiled(model, **options):
    rngs = {"dropout": jax.random.key(1)}
    return jax.jit(lambda params, x: model.apply({"params": params}, **x, **options, rngs=rngs))


def assert_kept(output, expected):
    """Close, over the channels that were kept of the expected array."""
    assert_close(output[..., : expected.shape[-1]], expected)


STANDARDIZED: dict[str, Standardization] = {
    "raw": "none",
    "std_patch": "patch",
    "std_patch_channels": "patch_channels",
}
"""`standardize` for each kind of target that the public code has."""


def assert_golden(name, model, *, modalities=None):
    """Every array of the case, of these modalities, and every loss."""
    case, params, inputs, masks, arrays = golden(name)
    inputs = {modality: inputs[modality] for modality in modalities or inputs}
    outputs = run(model, params, inputs, masks=masks, train=True)
    encoded = run(model, params, inputs, encode_only=True)
    assert outputs.keys() == encoded.keys() == inputs.keys()
    seen, losses = set(), {}
    for modality, answer in outputs.items():
        hidden = np.zeros(answer.mask.shape)
        np.put_along_axis(hidden, np.asarray(masks[modality].hidden), 1, axis=1)
        found = {"output_train/0": answer.prediction, "output_train/1": answer.mask}
        found |= {"output/0": encoded[modality], "output/1": np.zeros(hidden.shape)}
        found |= {"mask/binary": hidden}
        kinds = [kind for kind in STANDARDIZED if (f"target_{kind}", modality) in arrays]
        for kind in kinds:
            found[f"target_{kind}"] = target = target_of(model, inputs[modality], modality, kind)
            losses |= losses_of(name, kind, {modality: answer._replace(target=target)})
        for stem, array in found.items():
            assert_kept(array, arrays[stem, modality])
        np.testing.assert_array_equal(answer.target, found["target_raw"])
        seen |= {(stem, modality) for stem in (*found, *INDICES)}
    assert seen == {key for key in arrays if key[1] in inputs}
    every = {renamed(k): v for k, v in case.description["post"]["losses"].items()}
    expected = {k: v for k, v in every.items() if modalities is None or k.endswith(modalities)}
    assert losses == pytest.approx(expected, rel=1e-4)


INDICES = ("mask/masked_indices", "mask/unmasked_indices")
"""What models are given, so that they hide what the public code hid."""


def target_of(model, pixels, modality, kind):
    patch = model._patch_size(modality)
    return reconstruction_target(pixels, patch, standardize=STANDARDIZED[kind])


class Answering(NamedTuple):
    """A model that answers what is known, so that the loss alone is computed."""

    answers: dict[str, Reconstruction]

    def apply(self, variables, **_):
        return self.answers, variables


def losses_of(name, kind, answers):
    """What the task makes of the answers for one modality, by the public names of losses: per
    patch, and per value of a patch."""
    ((modality, answer),) = answers.items()
    suffix = f"{kind}/{modality}" if "avmae" in name else kind
    names = {False: f"mse_masked_{suffix}", True: f"mse_masked_norm_by_dim_{suffix}"}
    ones = np.ones(len(answer.mask), np.float32)
    batch: Any = {"inputs": {modality: ones}, "mask": ones}
    found = {}
    for per_value, loss in names.items():
        task = MaskedReconstruction(
            Answering(answers), lambda x, **_: x, normalize_by_output_dimension=per_value
        )
        found[loss] = float(task({}, batch, rng=jax.random.key(0), train=True).loss)
    return found


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=slow) for n in MODELS])
def test_reconstructions_equal_the_public_implementations(name):
    assert_golden(name, MODELS[name])
    case, _, inputs, _, _ = golden(name)
    assert shapes_of(MODELS[name], **inputs) == case.tree


@slow
@pytest.mark.parametrize("fields", [RGB, AUDIO], ids=["rgb", "audio"])
def test_separate_encoders_and_decoders_are_two_models(fields):
    model = Audiovisual(**fields, decoder="separate")
    assert_golden("avmae_late_sepdec", model, modalities=model.modalities)


@slow
@pytest.mark.parametrize("name", TREES)
def test_full_size_parameters_have_the_public_names_shapes_and_total(name):
    case = read_trees("mae")[name]
    inputs = case["input"] if isinstance(case["input"], dict) else {"rgb": case["input"]}
    assert_tree(shapes_of(TREES[name], **inputs), case)


def hidden_pixels_inverted(inputs, masks):
    """The same visible patches, other hidden ones."""
    changed = {}
    for modality, pixels in inputs.items():
        patch = (2, 8, 8) if modality == "rgb" else (8, 8)
        grid = [length // size for length, size in zip(pixels.shape[1:-1], patch, strict=True)]
        hidden = np.zeros((len(pixels), int(np.prod(grid))), bool)
        np.put_along_axis(hidden, np.asarray(masks[modality].hidden), True, axis=1)
        whole = hidden.reshape(-1, *grid)
        for axis, size in enumerate(patch):
            whole = whole.repeat(size, axis=axis + 1)
        rest = [(0, a - b) for a, b in zip(pixels.shape[:-1], whole.shape, strict=True)]
        changed[modality] = jnp.where(np.pad(whole, rest)[..., None], -pixels, pixels)
    return changed


WITHOUT = r"(.*/)?encoder_norm/(scale|bias)"


def test_normalize_is_the_norm_at_the_end_of_every_encoder_and_decoder():
    """Left out, the public norm over what remains gives what the public code encodes."""
    case, params, inputs, masks, arrays = golden("avmae_single_spectrogram")
    model = Audiovisual(**AUDIO, normalize=False)
    kept = {path: shape for path, shape in case.tree.items() if not re.fullmatch(WITHOUT, path)}
    assert shapes_of(model, **inputs) == kept and len(case.tree) - len(kept) == 4
    encoded = run(model, params, inputs, encode_only=True)["audio"]
    norm = params["Transformer_spectrogram"]["encoder_norm"]
    assert_kept(nn.LayerNorm().apply({"params": norm}, encoded), arrays["output/0", "audio"])
    apply: Any = functools.partial(model.apply, masks=masks, capture_intermediates=True)
    answers, state = jax.jit(apply)({"params": params}, **inputs)
    last = state["intermediates"]["Decoder"]["encoderblock_1"]["__call__"][0]
    head = params["output_projection_spectrogram"]
    expected = np.asarray(last) @ head["kernel"] + head["bias"]
    assert_kept(answers["audio"].prediction, expected)
    case, _, inputs, _, _ = golden("avmae_mid_shareddec")
    tree = shapes_of(Audiovisual(**BOTH, normalize=False), **inputs)
    assert tree.keys() == {path for path in case.tree if not re.fullmatch(WITHOUT, path)}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mae_image_token", "std_patch_channels"),
        ("avmae_mid_shareddec", "std_patch"),
        pytest.param("mae_image_token", "std_patch", marks=slow),
        pytest.param("mae_video_tube_sincos1d_none", "std_patch_channels", marks=slow),
    ],
)
def test_models_predict_patches_standardized_as_they_are_told(name, kind):
    _, params, inputs, masks, arrays = golden(name)
    model: Any = MODELS[name].clone(standardize=STANDARDIZED[kind])

    def targets(params):
        answers = model.apply({"params": params}, **inputs, masks=masks)
        return {modality: answer.target for modality, answer in answers.items()}

    for modality, target in jax.jit(targets)(params).items():
        assert_kept(target, arrays[f"target_{kind}", modality])


@slow
@pytest.mark.parametrize("objective", ["reconstruction", "inpainting"])
def test_what_is_scored_is_what_was_hidden_and_the_model_never_saw_it(objective):
    _, params, inputs, masks, arrays = golden("avmae_mid_shareddec")
    model = Audiovisual(**BOTH, objective=objective)
    seen = run(model, params, inputs, masks=masks)
    other = run(model, params, hidden_pixels_inverted(inputs, masks), masks=masks)
    for modality, (prediction, target, mask) in seen.items():
        np.testing.assert_array_equal(mask, arrays["mask/binary", modality])
        np.testing.assert_allclose(prediction, other[modality].prediction, atol=1e-5)
        changed = np.abs(target - other[modality].target).max(axis=-1) > 0
        np.testing.assert_array_equal(changed, mask == 1)


@slow
@pytest.mark.parametrize("decoder", ["separate", "shared"])
def test_inpainting_looks_at_the_other_modality_alone(decoder):
    _, params, inputs, masks, _ = golden("avmae_late_sepdec")
    params = params | {"Decoder": params["Decoder_rgb"]}
    model = Audiovisual(**BOTH, encoder="separate", decoder=decoder, objective="inpainting")
    before = run(model, params, inputs, masks=masks)
    after = run(model, params, inputs | {"rgb": -inputs["rgb"]}, masks=masks)
    np.testing.assert_array_equal(before["rgb"].prediction, after["rgb"].prediction)
    changes = before["audio"].prediction - after["audio"].prediction
    hidden = before["audio"].mask == 1
    assert np.abs(changes[hidden]).max() > 1e-2


@slow
def test_all_of_the_audio_may_be_given_to_predict_video_from():
    _, params, inputs, _, _ = golden("avmae_mid_shareddec")
    fields: dict[str, Any] = BOTH | {"masking_rates": {"rgb": 0.75, "audio": 0.0}}
    model: Any = Audiovisual(**fields, objective="inpainting")
    answers = model.apply({"params": params}, **inputs, rngs={"mask": jax.random.key(0)})
    assert answers.keys() == {"rgb"}
    assert answers["rgb"].mask.sum(axis=1).tolist() == [48, 48]


@slow
@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"rgb": 0.0, "audio": 0.0}, "nothing is left to predict"),
        ({"rgb": 0.9, "audio": 0.001}, "A masking rate of 0.001 hides none of"),
    ],
)
def test_masks_that_hide_nothing_are_refused(rates, message):
    _, _, inputs, _, _ = golden("avmae_mid_shareddec")
    fields: dict[str, Any] = BOTH | {"masking_rates": rates}
    with pytest.raises(ValueError, match=message):
        shapes_of(Audiovisual(**fields), **inputs)


@slow
def test_masks_follow_the_key_and_differ_between_steps():
    model: Any = MaskedAutoencoder(**VIDEO, masking="tube")
    _, params, inputs, _, _ = golden("mae_video_tube_sincos1d_none")
    draw = jax.jit(
        lambda key: model.apply({"params": params}, rgb=inputs["rgb"], rngs={"mask": key})
    )
    masks = [draw(key)["rgb"].mask for key in jax.random.split(jax.random.key(0), 2)]
    assert not np.array_equal(*masks)
    assert masks[0].sum(axis=1).tolist() == [48, 48]


@slow
def test_video_is_hidden_in_tubes_while_audio_is_not():
    model: Any = Audiovisual(**BOTH, masking="tube")
    _, params, inputs, _, _ = golden("avmae_mid_shareddec")
    rngs = {"mask": jax.random.key(0)}
    answers = jax.jit(lambda x: model.apply({"params": params}, **x, rngs=rngs))(inputs)
    frames = answers["rgb"].mask.reshape(2, 4, -1)
    np.testing.assert_array_equal(frames, np.broadcast_to(frames[:, :1], frames.shape))
    for name, rate in model.masking_rates.items():
        places = 16 if name == "rgb" else answers[name].mask.shape[1]
        times = 4 if name == "rgb" else 1
        assert answers[name].mask.sum(axis=1).tolist() == [times * int(rate * places)] * 2


@slow
def test_bfloat16_remat_and_learned_positions_predict_in_float32():
    fields = {"positions": "learned", "decoder_positions": "learned", "use_modality_tokens": True}
    model = Audiovisual(**BOTH, **fields, dtype="bfloat16", remat=True, dropout_rate=0.1)
    _, _, inputs, masks, _ = golden("avmae_mid_shareddec")
    shapes = shapes_of(model, **inputs)
    assert shapes["posembed_decoder_rgb/pos_embedding"] == [1, 64, 24]
    assert shapes["Decoder_modality_token_spectrogram"] == [1, 1, 24]
    params = jax.jit(lambda x: model.init(jax.random.key(0), **x, masks=masks))(inputs)["params"]
    outputs = run(model, params, inputs, masks=masks, train=True)
    for modality in inputs:
        assert outputs[modality].prediction.dtype == jnp.float32
        assert np.isfinite(outputs[modality].prediction).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"encoder": "separate", "decoder": "separate"}, "two independent models"),
        ({"encoder": "late"}, "encoder is 'late'; wanted 'shared' or"),
        ({"fusion_layers": 3}, "fusion_layers between 1 and num_layers - 1; got 3 of 3"),
        ({"masking_rates": {"rgb": 0.9}}, "are for rgb, but modalities are rgb, audio"),
        ({"masking_rates": RATES | {"flow": 0.5}}, "masking_rates are for audio, flow, rgb"),
        ({**AUDIO, "masking": "tube"}, "Tube masking is for video"),
        ({"decoder": "early", "objective": "inpainting"}, "attends to the visible tokens of both"),
        ({**RGB, "objective": "inpainting"}, "Inpainting needs both"),
        ({"modalities": ("audio", "rgb")}, "in that order"),
        ({"standardize": "image"}, "standardize is 'image'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(fields, message):
    with pytest.raises(ValueError, match=message):
        from_config(Audiovisual, **BOTH | fields)


@slow
def test_a_modality_that_is_missing_is_named():
    with pytest.raises(ValueError, match=r"takes \('rgb', 'audio'\) but got \('rgb',\)"):
        shapes_of(Audiovisual(**BOTH), rgb=(2, 8, 32, 32, 3))


def test_every_public_tree_is_tested():
    """But that of separate encoders and decoders, which inpainting has as well."""
    names = read_trees("mae").keys()
    refused = "avmae_pretrain_b16x2_separate_encoders__separate_decoders"
    assert TREES.keys() == {name for name in names if "finetune" not in name} - {refused}
