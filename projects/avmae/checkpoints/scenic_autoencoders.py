"""The masked autoencoders of Scenic, of images, of videos, and audiovisual."""

import math
from typing import Any

from projects.avmae.checkpoints.scenic_positions import kind_of, number_of, tables
from projects.avmae.modalities import IN_PARAMETERS, MODALITIES
from scenic_video.errors import UserError
from scenic_video.weights.families.blocks import ENCODER, HEAD
from scenic_video.weights.families.names import NameTable, Rule
from scenic_video.weights.families.parameter_shapes import ParameterShapes
from scenic_video.weights.families.scenic import (
    Description,
    ScenicFamily,
    describe_clips,
    encoder,
    layers,
    same,
)
from scenic_video.weights.families.token_grids import clip_size, image_size

DECODER = "Decoder"
ENCODED, DECODED = "posembed_input", "posembed_decoder"
"""Positions of the encoder and of the decoder."""
JOINT = f"{ENCODER}_concat"
TARGET = "projects.avmae.pretraining.model"
PAPER_RATES = {"rgb": 0.9, "audio": 0.7}
IMAGE_RATE = 0.75
"""Shares of hidden tokens in the papers; no parameter shows them."""


def _rules(suffix: str) -> tuple[Rule, ...]:
    """The parameters of one modality."""
    projections = (f"{name}{suffix}" for name in ("embedding", "decoder_projection", HEAD))
    return (
        *layers(*projections),
        *same(f"mask_token{suffix}"),
        *tables(f"{ENCODED}{suffix}", f"{DECODED}{suffix}"),
        *encoder(f"{ENCODER}{suffix}"),
        *encoder(f"{DECODER}{suffix}"),
    )


TOKENS = same(
    *(
        f"{part}_modality_token_{name}"
        for part in ("Encoder", "Decoder")
        for name in IN_PARAMETERS.values()
    )
)
ONE = NameTable((*_rules(""), *same("cls"), *TOKENS))
TWO = NameTable(
    (
        *(rule for name in IN_PARAMETERS.values() for rule in _rules(f"_{name}")),
        *encoder(),
        *encoder(JOINT),
        *encoder(DECODER),
        *TOKENS,
    )
)


def _fits_one(shapes: ParameterShapes) -> bool:
    return "mask_token" in shapes and "embedding/kernel" in shapes


def _fits_two(shapes: ParameterShapes) -> bool:
    return shapes.has(r"mask_token_(rgb|spectrogram)$")


def _one(shapes: ParameterShapes) -> Description:
    patch = shapes.patch("embedding")
    fields: dict[str, Any] = _sizes(shapes, ENCODER, DECODER)
    fields |= {"patch_size": patch, "class_token": "cls" in shapes}
    on_grid = "sinusoidal" if len(patch) == 2 else "sinusoidal_1d"
    fields |= _positions(shapes, "", fixed=on_grid) | _target(shapes, "")
    if len(patch) == 2:
        fields["masking_rate"] = IMAGE_RATE
    places = number_of(shapes, ENCODED)
    model = {"target": f"{TARGET}:MaskedAutoencoder", **fields}
    if len(patch) == 3:
        return describe_clips(model, clip_size(places, patch))
    size = image_size(places, patch)
    return describe_clips(model, None if size is None else (1, *size))


def _two(shapes: ParameterShapes) -> Description:
    modalities = tuple(m for m in MODALITIES if f"embedding_{IN_PARAMETERS[m]}/kernel" in shapes)
    if not modalities:
        raise UserError("The autoencoder has neither 'embedding_rgb' nor 'embedding_spectrogram'.")
    first = f"_{IN_PARAMETERS[modalities[0]]}"
    decoder = DECODER if shapes.has(f"{DECODER}/") else f"{DECODER}{first}"
    strategy, notes = _strategies(shapes, modalities)
    one = ENCODER if shapes.has(f"{ENCODER}/") else f"{ENCODER}{first}"
    fields: dict[str, Any] = {"modalities": modalities} | _sizes(shapes, one, decoder) | strategy
    if strategy["encoder"] == "mid":
        fields["fusion_layers"] = shapes.count(rf"{JOINT}/encoderblock_(\d+)/")
        fields["num_layers"] += fields["fusion_layers"]
    fields |= {
        "tubelet_size": _tubelet(shapes),
        "masking_rates": {name: PAPER_RATES[name] for name in modalities},
        **_positions(shapes, first, fixed="sinusoidal_1d"),
        **(_target(shapes, first) if modalities[0] == "rgb" else {}),
    }
    places = number_of(shapes, f"{ENCODED}_rgb")
    model = {"target": f"{TARGET}:AudiovisualMaskedAutoencoder", **fields}
    size = clip_size(places, fields["tubelet_size"])
    return describe_clips(model, size, notes, modalities=modalities)


def _sizes(shapes: ParameterShapes, one: str, decoder: str) -> dict[str, Any]:
    decoders = {f"decoder_{name}": x for name, x in shapes.encoder(decoder).items()}
    tokens = shapes.has("Encoder_modality_token_")
    normalize = shapes.has(f"{decoder}/encoder_norm/")
    fields = shapes.encoder(one) | decoders
    return {**fields, "normalize": normalize, "use_modality_tokens": tokens}


def _strategies(
    shapes: ParameterShapes, modalities: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """How encoders, decoders and objective treat the modalities, and what was assumed."""
    two, notes = len(modalities) > 1, ()
    separate = not shapes.has(f"{DECODER}/")
    strategy = {"encoder": "separate", "decoder": "separate" if separate else "shared"}
    if shapes.has(f"{JOINT}/"):
        strategy["encoder"] = "mid"
    elif shapes.has(f"{ENCODER}/"):
        strategy["encoder"] = "early"
        notes += (_assumed("encoder", "joins the tokens of both modalities", "early"),) * two
    if two and not separate:
        notes += (_assumed("decoder", "decodes each modality by itself", "shared"),)
    if two and separate and strategy["encoder"] == "separate":
        strategy["objective"] = "inpainting"
    return strategy, notes


def _assumed(part: str, what: str, value: str) -> str:
    return (
        f"its parameters do not show whether the one {part} {what}, which is assumed "
        f"(model.{part}={value!r})"
    )


def _tubelet(shapes: ParameterShapes) -> tuple[int, ...]:
    """Of video, or the patch of audio in tubelets of the papers' length."""
    if "embedding_rgb/kernel" in shapes:
        return shapes.of("embedding_rgb/kernel", 5)[:3]
    return (2, *shapes.of("embedding_spectrogram/kernel", 4)[:2])


def _positions(shapes: ParameterShapes, suffix: str, *, fixed: str) -> dict[str, str]:
    return {
        "positions": kind_of(shapes, f"{ENCODED}{suffix}", fixed=fixed),
        "decoder_positions": kind_of(shapes, f"{DECODED}{suffix}", fixed=fixed),
    }


def _target(shapes: ParameterShapes, suffix: str) -> dict[str, bool]:
    """Which values of a patch are predicted, by their number."""
    *patch, channels, _ = shapes.kernel(f"embedding{suffix}")
    predicted = shapes.of(f"{HEAD}{suffix}/kernel", 2)[1]
    time = patch[0] if len(patch) == 3 else 1
    for central, gray in ((False, False), (True, False), (False, True), (True, True)):
        share = (time if central else 1) * (channels if gray else 1)
        if predicted * share == math.prod(patch) * channels:
            return {"central_frame": central, "grayscale": gray}
    raise UserError(
        f"{HEAD}{suffix}/kernel predicts {predicted} values of a patch of {tuple(patch)} with "
        f"{channels} channels; wanted all of them, those of one frame, or those in gray."
    )


AUTOENCODERS = (
    ScenicFamily(
        name="masked autoencoder of Scenic",
        fits=_fits_one,
        describe=_one,
        table=lambda shapes: ONE,
        may_lack_bias=("decoder_projection/kernel",),
    ),
    ScenicFamily(
        name="audiovisual masked autoencoder of Scenic",
        fits=_fits_two,
        describe=_two,
        table=lambda shapes: TWO,
        aliases=((r"_spec(?=/|$)", "_spectrogram"), (r"_RGB(?=/|$)", "_rgb")),
        may_lack_bias=(r"decoder_projection_\w+/kernel",),
    ),
)
