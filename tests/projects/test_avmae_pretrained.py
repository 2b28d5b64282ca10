"""What MBT and models of one modality compute when they start from others."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from projects.avmae.finetuning.model import PretrainedViT
from projects.avmae.modalities import IN_PARAMETERS
from projects.avmae.model import MBT, PretrainedMBT
from projects.avmae.pretrained import from_autoencoder, from_image_model
from projects.avmae.pretraining.model import AudiovisualMaskedAutoencoder, MaskedAutoencoder
from projects.vivit.model import SpatioTemporalAttention, ViT
from scenic_video.weights.model_weights import ModelWeights
from tests.helpers.drawn import parameters

SIZE: dict[str, Any] = {"hidden_size": 24, "mlp_dim": 24, "num_layers": 3, "num_heads": 2}
DECODER: dict[str, Any] = {
    "decoder_hidden_size": 8,
    "decoder_mlp_dim": 8,
    "decoder_num_layers": 1,
    "decoder_num_heads": 2,
}
BOTH: dict[str, Any] = (
    SIZE
    | DECODER
    | {
        "tubelet_size": (2, 8, 8),
        "masking_rates": {"rgb": 0.5, "audio": 0.5},
        "fusion_layers": 1,
    }
)
RGB: dict[str, Any] = BOTH | {"modalities": ("rgb",), "masking_rates": {"rgb": 0.5}}
AUDIO_ALONE: dict[str, Any] = BOTH | {
    "modalities": ("audio",),
    "masking_rates": {"audio": 0.5},
}
FINE: dict[str, Any] = SIZE | {"num_classes": 5, "tubelet_size": (2, 8, 8), "fusion_layer": 3}
FINE |= {"classifier": "gap", "num_bottlenecks": 2}
ONE: dict[str, Any] = SIZE | {"num_classes": 5, "classifier": "gap"}
CLIPS = jax.random.normal(jax.random.key(0), (2, 4, 16, 16, 3))
AUDIO = jax.random.normal(jax.random.key(1), (2, 24, 16, 1))
INPUTS: Any = {"rgb": CLIPS, "audio": AUDIO}
Audiovisual = AudiovisualMaskedAutoencoder
Params = dict[str, Any]


def encoded(model, params, **inputs):
    """What an autoencoder's encoder makes of all tokens."""
    apply = jax.jit(functools.partial(model.apply, encode_only=True))
    return apply({"params": params}, **inputs)


def tokens_of(model, params, **inputs):
    """What the encoder of a model to be fine-tuned gives."""
    apply = jax.jit(functools.partial(model.apply, capture_intermediates=True))
    _, state = apply({"params": params}, **inputs)
    return state["intermediates"]["Transformer"]["__call__"][0]


def assert_close(a, b):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=2e-5), a, b)


@pytest.mark.parametrize(
    ("encoder", "fields"),
    [
        ("early", {"fusion_layer": 0, "num_bottlenecks": 0}),
        pytest.param("shared", {}, marks=pytest.mark.slow),
        pytest.param("shared", {"share_encoder": True}, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    "order",
    [("rgb", "audio"), pytest.param(("audio", "rgb"), marks=pytest.mark.slow)],
)
def test_one_encoder_starts_both_streams_which_compute_what_it_did(encoder, fields, order):
    source_model = Audiovisual(**BOTH, encoder=encoder)
    source = parameters(source_model, seed=1, **INPUTS)
    model = PretrainedMBT(**FINE | fields, modalities=order)
    params, report = from_autoencoder(
        target=ModelWeights(parameters(model, **INPUTS)), source=ModelWeights(source)
    )
    expected = encoded(source_model, source, **INPUTS)
    assert_close(tokens_of(model, params, **INPUTS), {name: expected[name] for name in order})
    random = {row.path for row in report.rows if row.source is None}
    head = "ProjectionHeadAndClassifier_0/output_projection/"
    assert random - {"bottleneck"} == {head + "kernel", head + "bias"}
    assert all("ecoder" in p or "mask_token" in p or "output_pro" in p for p in report.unused)


@pytest.mark.parametrize("positions", ["sinusoidal", "learned_space_time", "learned", "none"])
def test_positions_of_every_kind_follow(positions):
    source_model = Audiovisual(**BOTH, encoder="shared", positions=positions)
    source = parameters(source_model, seed=1, **INPUTS)
    model = PretrainedMBT(**FINE, positions=positions)
    assert model.fixed_positions == source_model.fixed_positions
    params, report = from_autoencoder(
        target=ModelWeights(parameters(model, **INPUTS)), source=ModelWeights(source)
    )
    assert_close(tokens_of(model, params, **INPUTS), encoded(source_model, source, **INPUTS))
    assert not any("posembed_input" in path for path in report.unused)


@pytest.mark.parametrize("kind", ["learned", "learned_space_time"])
def test_learned_positions_of_another_grid_are_resampled(kind):
    """4 x 1 x 2 tokens here, 2 x 2 x 2 there: as many."""
    autoencoder = MaskedAutoencoder(
        **SIZE, **DECODER, patch_size=(2, 8, 8), masking_rate=0.5, positions=kind
    )
    source = parameters(autoencoder, rgb=CLIPS)
    model = PretrainedViT(**ONE, patch_size=(2, 8, 8), positions=kind)
    target = parameters(model, rgb=jnp.zeros((1, 8, 8, 16, 3)))
    params, report = from_autoencoder(
        target=ModelWeights(target, {"rgb": (8, 8, 16)}),
        source=ModelWeights(source, {"rgb": (4, 16, 16)}),
    )
    new, old = (tree["posembed_input"] for tree in (params, source))
    if kind == "learned":
        assert "resample 2 x 2 x 2 to 4 x 1 x 2" in str(report)
        old = old["pos_embedding"].reshape(2, 2, 2, -1)
        new = new["pos_embedding"].reshape(4, 1, 2, -1)
        np.testing.assert_allclose(new[[0, 3], 0], old[:, 0], atol=1e-6)
        np.testing.assert_allclose(new[1, 0], old[0, 0] * 2 / 3 + old[1, 0] / 3, atol=1e-6)
    else:
        assert "resample 2 to 4" in str(report) and "resample 2 x 2 to 1 x 2" in str(report)
        times = [tree["pos_embedding_time"][0, :, 0] for tree in (new, old)]
        np.testing.assert_allclose(times[0][[0, 3]], times[1], atol=1e-6)
        assert new["pos_embedding_space"].shape == (1, 1, 2, 24)


def test_learned_positions_of_images_are_repeated_over_time():
    images = MaskedAutoencoder(
        **SIZE, **DECODER, patch_size=(8, 8), masking_rate=0.5, positions="learned"
    )
    source = parameters(images, rgb=CLIPS[:, 0])
    model = PretrainedViT(**ONE, patch_size=(2, 8, 8), positions="learned")
    params, _ = from_autoencoder(
        target=ModelWeights(parameters(model, rgb=CLIPS), {"rgb": (4, 16, 16)}),
        source=ModelWeights(source, {"rgb": (1, 16, 16)}),
    )
    new, old = (tree["posembed_input"]["pos_embedding"] for tree in (params, source))
    np.testing.assert_array_equal(new, np.concatenate([old, old], axis=1))


@pytest.mark.parametrize("modality", INPUTS)
@pytest.mark.parametrize(
    "normalize", ["tokens", "pooled", pytest.param(None, marks=pytest.mark.slow)]
)
def test_an_encoder_of_one_modality_goes_on_alone(modality, normalize):
    """In a `PretrainedViT`, or, with None, a `PretrainedMBT` of this modality."""
    source_model = Audiovisual(**BOTH, encoder="separate", use_modality_tokens=True)
    source = parameters(source_model, seed=1, **INPUTS)
    fields: dict[str, Any] = {"use_modality_tokens": True}
    if normalize is None:
        model: Any = PretrainedMBT(**FINE, **fields, modalities=(modality,))
    else:
        patch = (2, 8, 8) if modality == "rgb" else (8, 8)
        fields |= {"patch_size": patch, "normalize": normalize, "modality": modality}
        model = PretrainedViT(**ONE, **fields)
    inputs = {modality: INPUTS[modality]}
    params, report = from_autoencoder(
        target=ModelWeights(parameters(model, **inputs)), source=ModelWeights(source)
    )
    expected = encoded(source_model, source, **INPUTS)[modality]
    if normalize == "pooled":
        norm, old = (
            params["encoder_norm"],
            source[f"Transformer_{IN_PARAMETERS[modality]}"]["encoder_norm"],
        )
        jax.tree.map(np.testing.assert_array_equal, norm, old)
    else:
        tokens = tokens_of(model, params, **inputs)
        assert_close(tokens[modality] if normalize is None else tokens, expected)
    left = ("embedding", "Transformer", "Encoder")
    (other,) = INPUTS.keys() - {modality}
    written = IN_PARAMETERS[other]
    assert all(written in path for path in report.unused if path.startswith(left))


@pytest.mark.parametrize("order", [("rgb", "audio"), ("audio", "rgb")])
def test_joint_layers_follow_the_unimodal_ones_in_both_streams(order):
    source = parameters(Audiovisual(**BOTH), seed=1, **INPUTS)
    target = parameters(PretrainedMBT(**FINE, modalities=order), **INPUTS)
    params, report = from_autoencoder(target=ModelWeights(target), source=ModelWeights(source))
    names = {"rgb": "_rgb", "audio": "_spec", order[0]: ""}
    for modality, suffix in names.items():
        own = f"Transformer_{IN_PARAMETERS[modality]}"
        for layer, path in enumerate(
            [f"{own}/encoderblock_0", f"{own}/encoderblock_1"]
            + ["Transformer_concat/encoderblock_0"]
        ):
            encoder, _, block = path.partition("/")
            new = params["Transformer"][f"encoderblock_{layer}{suffix}"]
            jax.tree.map(np.testing.assert_array_equal, new, source[encoder][block])
    norm, old = params["Transformer"]["encoder_norm"], source["Transformer_concat"]["encoder_norm"]
    jax.tree.map(np.testing.assert_array_equal, norm, old)
    kernel = params["embedding_spectrogram"]["kernel"]
    np.testing.assert_array_equal(kernel, source["embedding_spectrogram"]["kernel"])
    assert "Transformer_rgb/encoder_norm/scale" in report.unused


def test_separate_encoders_leave_the_common_norm_random():
    source = parameters(Audiovisual(**BOTH, encoder="separate"), seed=1, **INPUTS)
    target = parameters(PretrainedMBT(**FINE), **INPUTS)
    params, report = from_autoencoder(target=ModelWeights(target), source=ModelWeights(source))
    random = [row.path for row in report.rows if row.source is None]
    assert {"Transformer/encoder_norm/scale", "Transformer/encoder_norm/bias"} <= set(random)
    jax.tree.map(
        np.testing.assert_array_equal,
        params["Transformer"]["encoderblock_2_spec"],
        source["Transformer_spectrogram"]["encoderblock_2"],
    )


@pytest.mark.parametrize(("old", "new"), [(1, 3), pytest.param(3, 1, marks=pytest.mark.slow)])
def test_audio_of_other_channels_gives_the_same_tokens(old, new):
    spectrograms = {n: jnp.repeat(AUDIO, n, axis=-1) for n in (old, new)}
    fields: dict[str, Any] = AUDIO_ALONE | {"encoder": "separate"}
    source_model = Audiovisual(**fields)
    source = parameters(source_model, seed=1, audio=spectrograms[old])
    model = PretrainedViT(**ONE, patch_size=(8, 8), modality="audio")
    target = parameters(model, audio=spectrograms[new])
    params, report = from_autoencoder(target=ModelWeights(target), source=ModelWeights(source))
    expected = encoded(source_model, source, audio=spectrograms[old])["audio"]
    assert_close(tokens_of(model, params, audio=spectrograms[new]), expected)
    (row,) = [row for row in report.rows if row.transform]
    assert (row.path, row.transform) == ("embedding/kernel", f"{old} to {new} channels")


@pytest.mark.slow
def test_an_autoencoder_of_videos_starts_a_vivit():
    video_model = MaskedAutoencoder(**SIZE, **DECODER, patch_size=(2, 8, 8), positions="learned")
    source = parameters(video_model, seed=1, rgb=CLIPS)
    model = SpatioTemporalAttention(**ONE, tubelet_size=(2, 8, 8))
    params, _ = from_autoencoder(
        target=ModelWeights(parameters(model, rgb=CLIPS)), source=ModelWeights(source)
    )
    expected = encoded(video_model, source, rgb=CLIPS)["rgb"]
    assert_close(tokens_of(model, params, rgb=CLIPS), expected)


@pytest.mark.slow
def test_an_autoencoder_of_images_starts_models_of_images_and_of_clips():
    image_model = MaskedAutoencoder(**SIZE, **DECODER, patch_size=(8, 8), class_token=True)
    source = parameters(image_model, seed=1, rgb=CLIPS[:, 0])
    fine: dict[str, Any] = ONE | {"classifier": "token"}
    image = PretrainedViT(**fine, patch_size=(8, 8))
    params, _ = from_autoencoder(
        target=ModelWeights(parameters(image, rgb=CLIPS[:, 0])), source=ModelWeights(source)
    )
    expected = encoded(image_model, source, rgb=CLIPS[:, 0])["rgb"]
    assert_close(tokens_of(image, params, rgb=CLIPS[:, 0]), expected)
    clip = PretrainedViT(**fine, patch_size=(2, 8, 8))
    params, _ = from_autoencoder(
        target=ModelWeights(parameters(clip, rgb=CLIPS)), source=ModelWeights(source)
    )
    kernel = source["embedding"]["kernel"]
    np.testing.assert_array_equal(params["embedding"]["kernel"], [0 * kernel, kernel])


def test_a_class_token_that_was_not_there_has_no_position():
    source = parameters(
        Audiovisual(**BOTH, encoder="shared", positions="learned"), seed=1, **INPUTS
    )
    fields: dict[str, Any] = FINE | {"classifier": "token"}
    model = MBT(**fields)
    params, report = from_autoencoder(
        target=ModelWeights(parameters(model, **INPUTS)), source=ModelWeights(source)
    )
    for name in ("", "_spectrogram"):
        table = params["Transformer"][f"posembed_input{name}"]["pos_embedding"]
        old = source[f"posembed_input{name or '_rgb'}"]["pos_embedding"]
        np.testing.assert_array_equal(table[:, 1:], old)
        assert (table[:, 0] == 0).all()
    random = {row.path for row in report.rows if row.source is None}
    assert {"cls", "clsspectrogram"} <= random


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ({"num_layers": 4}, {}, "source Transformer_concat/encoderblock_0/.* is not used"),
        ({"num_layers": 2}, {}, "encoderblock_2/.* needs Transformer_concat/encoderblock_1"),
        ({"use_modality_tokens": True}, {}, "Encoder_modality_token_rgb .* is not used"),
        ({}, {"use_modality_tokens": True}, "needs Encoder_modality_token_rgb, which the source"),
        ({}, {"share_encoder": True}, "shares its blocks between modalities"),
        ({}, {"tubelet_size": (2, 4, 4)}, "patches are 2 x 8 x 8 .* and 2 x 4 x 4 here"),
        (RGB, {}, "embedding_spectrogram/kernel needs"),
    ],
)
def test_an_autoencoder_that_does_not_fit_is_an_error(source, target, message):
    old = Audiovisual(**BOTH | source)
    inputs = {name: INPUTS[name] for name in old.modalities}
    new = PretrainedMBT(**FINE | target)
    with pytest.raises(ValueError, match=message):
        from_autoencoder(
            target=ModelWeights(parameters(new, **INPUTS)),
            source=ModelWeights(parameters(old, **inputs)),
        )


def test_a_source_that_is_not_an_autoencoder_is_an_error():
    target = parameters(PretrainedMBT(**FINE), **INPUTS)
    with pytest.raises(ValueError, match="not a masked autoencoder.*but head/kernel"):
        from_autoencoder(
            target=ModelWeights(target), source=ModelWeights({"head": {"kernel": np.zeros(2)}})
        )


IMAGE: dict[str, Any] = SIZE | {"num_classes": 7, "patch_size": (8, 8)}
IMAGES = jnp.zeros((1, 24, 24, 3))
IMAGE_SIZE = {"rgb": (1, 24, 24)}
INPUT_SIZES = {"rgb": (4, 16, 16), "audio": (24, 16)}


@pytest.mark.parametrize("bottlenecks", ["random", "positions"])
@pytest.mark.parametrize("classifier", ["gap", "token"])
def test_an_image_model_starts_both_streams_of_mbt(classifier, bottlenecks):
    source = parameters(ViT(**IMAGE, classifier=classifier), seed=1, rgb=IMAGES)
    target = parameters(MBT(**FINE | {"classifier": classifier}), **INPUTS)
    params, report = from_image_model(
        target=ModelWeights(target, INPUT_SIZES),
        source=ModelWeights(source, IMAGE_SIZE),
        bottlenecks=bottlenecks,
    )
    assert "resample 3 x 3 to 2 x 2, repeated 2 times" in str(report)
    assert "resample 3 x 3 to 3 x 2" in str(report)
    first = int(classifier == "token")
    blocks = params["Transformer"]
    for suffix in ("", "_spectrogram"):
        jax.tree.map(
            np.testing.assert_array_equal,
            blocks[f"encoderblock_2{suffix}"],
            source["Transformer"]["encoderblock_2"],
        )
        if classifier == "token":
            np.testing.assert_array_equal(params[f"cls{suffix.strip('_')}"], source["cls"])
    old = source["Transformer"]["posembed_input"]["pos_embedding"][0, first:].reshape(3, 3, -1)
    audio = blocks["posembed_input_spectrogram"]["pos_embedding"][0, first:].reshape(3, 2, -1)
    np.testing.assert_allclose(audio, old[:, ::2], atol=1e-6)
    video = blocks["posembed_input"]["pos_embedding"][0, first:].reshape(2, 2, 2, -1)
    np.testing.assert_allclose(video, [old[::2, ::2]] * 2, atol=1e-6)
    kernel = source["embedding"]["kernel"]
    summed = params["embedding_spectrogram"]["kernel"]
    np.testing.assert_allclose(summed, kernel.sum(axis=2, keepdims=True), atol=1e-6)
    if bottlenecks == "random":
        np.testing.assert_array_equal(params["bottleneck"], target["bottleneck"])
    else:
        assert params["bottleneck"].shape == (1, 2 + first, 24)
        np.testing.assert_allclose(params["bottleneck"][0, first:], old[0, ::2], atol=1e-6)
    assert {path.partition("/")[0] for path in report.unused} == {"output_projection"}


@pytest.mark.parametrize(
    ("sizes", "fields", "message"),
    [
        ({"rgb": (4, 16, 16)}, {}, "6 positions of this model are unknown, .* its audio inputs"),
        (INPUT_SIZES, {"bottlenecks": "zeros"}, "must be one of .*got 'zeros'"),
        (INPUT_SIZES | {"rgb": (8, 16, 16)}, {}, r"posembed_input/pos_embedding is \[1, 8, 24\]"),
    ],
)
def test_an_image_model_that_does_not_fit_is_an_error(sizes, fields, message):
    source = parameters(ViT(**IMAGE, classifier="gap"), rgb=IMAGES)
    target = parameters(MBT(**FINE), **INPUTS)
    with pytest.raises(ValueError, match=message):
        from_image_model(
            target=ModelWeights(target, sizes, name="this model"),
            source=ModelWeights(source, grid=(3, 3)),
            **fields,
        )


def test_mbt_takes_no_model_of_videos_for_one_of_images_and_guesses_no_grid():
    target = ModelWeights(parameters(MBT(**FINE), **INPUTS), INPUT_SIZES)
    video = SpatioTemporalAttention(**SIZE, num_classes=3, tubelet_size=(2, 8, 8))
    source = parameters(video, rgb=INPUTS["rgb"])
    with pytest.raises(ValueError, match=r"kernel is \[2, 8, 8, 3, 24\].*with from_autoencoder"):
        from_image_model(target=target, source=ModelWeights(source))
    source = parameters(ViT(**IMAGE), rgb=IMAGES)
    with pytest.raises(ValueError, match="9 positions and this model 2 x 2.*rows and columns"):
        from_image_model(target=target, source=ModelWeights(source))
    _, report = from_image_model(target=target, source=ModelWeights(source, IMAGE_SIZE))
    assert "resample 3 x 3 to 3 x 2" in str(report)
