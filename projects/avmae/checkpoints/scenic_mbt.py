"""The MBTs of Scenic: those of its first release, and those fine-tuned from autoencoders."""

from typing import Any

from projects.avmae.checkpoints.scenic_positions import tables
from projects.avmae.modalities import MODALITIES
from scenic_video.weights.families.blocks import ENCODER, HEAD, POSITIONS
from scenic_video.weights.families.names import NameTable
from scenic_video.weights.families.parameter_shapes import ParameterShapes
from scenic_video.weights.families.scenic import (
    Description,
    ScenicFamily,
    describe_clips,
    encoder,
    layers,
    same,
    table_of,
)
from scenic_video.weights.families.token_grids import clip_size, spectrogram_size
from scenic_video.weights.model_weights import Inputs

PROJECTION_HEAD = "ProjectionHeadAndClassifier_0"
AUDIO = "embedding_spectrogram"
AUDIO_POSITIONS = table_of(f"{ENCODER}/posembed_input_spectrogram")
SUFFIXES = ("_spectrogram", "_spec", "_rgb")
AUTOENCODER = "mask_token"
"""How the parameters begin that only autoencoders have."""

FUSION_LAYERS = {(12, False): 8, (24, False): 16, (12, True): 8, (24, True): 18}
"""The first layer of fusion of the papers' models, by number of layers and whether it is
fine-tuned from an autoencoder."""
OF_LAYER_16 = ((309,), (397,))
"""Classes of VGGSound and Epic-Kitchens-100, whose fine-tuned models of 24 layers fuse earlier."""

EVERYTHING = (
    *same("cls", "clsspectrogram", "bottleneck", POSITIONS, AUDIO_POSITIONS),
    *layers("embedding", AUDIO),
    *encoder(suffixes=("", *SUFFIXES)),
)
TABLE = NameTable((*EVERYTHING, *layers("pre_logits", HEAD)))
FINE_TUNED = NameTable(
    (
        *EVERYTHING,
        *layers(*(f"{PROJECTION_HEAD}/{name}" for name in ("pre_logits", HEAD))),
        *same(*(f"Encoder_modality_token_{m}" for m in ("rgb", "spectrogram"))),
        *tables("posembed_input", "posembed_input_spectrogram"),
    )
)

SPELLINGS = (
    (r"^cls_?spec(trogram)?$", "clsspectrogram"),
    (r"^(embedding|Encoder_modality_token)_spec(?=/|$)", r"\1_spectrogram"),
    (r"(^|/)posembed_input_spec(?=/)", r"\1posembed_input_spectrogram"),
)


def _fits(shapes: ParameterShapes) -> bool:
    """A model of video alone without bottlenecks is a ViViT, and is read as one."""
    has_two = f"{AUDIO}/kernel" in shapes or "bottleneck" in shapes
    has_tables = shapes.has(f"{ENCODER}/posembed_input")
    return f"{HEAD}/kernel" in shapes and has_two and has_tables and not shapes.has(AUTOENCODER)


def _fits_fine_tuned(shapes: ParameterShapes) -> bool:
    return f"{PROJECTION_HEAD}/{HEAD}/kernel" in shapes and not shapes.has(AUTOENCODER)


def _describe(shapes: ParameterShapes) -> Description:
    return _mbt(shapes, "MBT", {"modalities": _modalities(shapes, first="audio")})


def _describe_fine_tuned(shapes: ParameterShapes) -> Description:
    first = "audio" if shapes.has(rf"{ENCODER}/encoderblock_\d+_rgb/") else "rgb"
    fields: dict[str, Any] = {"modalities": _modalities(shapes, first=first)}
    fields["use_modality_tokens"] = shapes.has("Encoder_modality_token_")
    if shapes.has(f"{ENCODER}/posembed_input"):
        fields["positions"] = "learned"
    elif shapes.has("posembed_input.*/pos_embedding_time$"):
        fields["positions"] = "learned_space_time"
    return _mbt(shapes, "PretrainedMBT", fields)


def _modalities(shapes: ParameterShapes, *, first: str) -> tuple[str, ...]:
    """In the order in which the public models join their tokens."""
    names = {"rgb": "embedding/kernel", "audio": f"{AUDIO}/kernel"}
    order = ("audio", "rgb") if first == "audio" else ("rgb", "audio")
    return tuple(name for name in order if names[name] in shapes)


def _mbt(shapes: ParameterShapes, name: str, fields: dict[str, Any]) -> Description:
    suffixed = [x for x in SUFFIXES if shapes.has(rf"{ENCODER}/encoderblock_\d+{x}/")]
    plain = shapes.has(rf"{ENCODER}/encoderblock_\d+/")
    token, tubelet = "cls" in shapes, _tubelet(shapes)
    fields |= shapes.encoder(suffix="" if plain or not suffixed else suffixed[0])
    layer, note = _fusion_layer(shapes, fields["num_layers"])
    fields |= {
        "classifier": "token" if token else "gap",
        "fusion_layer": layer,
        "num_bottlenecks": shapes.of("bottleneck", 3)[1] - token if "bottleneck" in shapes else 0,
        "share_encoder": _shares(shapes, name, suffixed),
        "tubelet_size": tubelet,
        **shapes.representation("pre_logits" if name == "MBT" else f"{PROJECTION_HEAD}/pre_logits"),
    }
    model = {"target": f"projects.avmae.model:{name}", **fields}
    notes = (note,) if len(fields["modalities"]) > 1 else ()
    clips, others = _sizes(shapes, tubelet, token)
    inputs = tuple(x for x in MODALITIES if x in fields["modalities"])
    return describe_clips(model, clips, notes, modalities=inputs, others=others)


def _sizes(
    shapes: ParameterShapes, tubelet: tuple[int, ...], token: bool
) -> tuple[tuple[int, int, int] | None, Inputs]:
    """Those of clips, and of audio, as far as learned positions show them."""
    video, audio = (
        shapes.of(path, 3)[1] - token if path in shapes else 0
        for path in (POSITIONS, AUDIO_POSITIONS)
    )
    audio = spectrogram_size(audio, tubelet[1:])
    return clip_size(video, tubelet), {} if audio is None else {"audio": audio}


def _tubelet(shapes: ParameterShapes) -> tuple[int, ...]:
    """Of video, or the patch of audio in tubelets of the papers' length."""
    if "embedding/kernel" in shapes:
        return shapes.of("embedding/kernel", 5)[:3]
    return (2, *shapes.of(f"{AUDIO}/kernel", 4)[:2])


def _shares(shapes: ParameterShapes, name: str, suffixed: list[str]) -> bool:
    """Whether audio has the blocks that video has elsewhere, which have no suffix."""
    both = "embedding/kernel" in shapes and f"{AUDIO}/kernel" in shapes
    needs_suffix = both or (name == "MBT" and f"{AUDIO}/kernel" in shapes)
    return needs_suffix and not suffixed


def _fusion_layer(shapes: ParameterShapes, num_layers: int) -> tuple[int, str]:
    """The first layer of fusion, which no parameter shows, and a note that it is assumed."""
    fine_tuned = shapes.has(PROJECTION_HEAD)
    layer = FUSION_LAYERS.get((num_layers, fine_tuned), num_layers * 2 // 3)
    head = shapes.get(f"{PROJECTION_HEAD}/{HEAD}/kernel", ())
    if num_layers == 24 and head[-1:] in OF_LAYER_16:
        layer = 16
    return layer, (
        f"its parameters do not show in which layers video and audio are fused; from layer {layer} "
        "is assumed (model.fusion_layer)"
    )


MBT = (
    ScenicFamily(
        name="MBT of Scenic",
        fits=_fits,
        describe=_describe,
        table=lambda shapes: TABLE,
        aliases=(*SPELLINGS, (r"(/encoderblock_\d+)_spec/", r"\1_spectrogram/")),
    ),
    ScenicFamily(
        name="AV-MAE of Scenic, fine-tuned",
        fits=_fits_fine_tuned,
        describe=_describe_fine_tuned,
        table=lambda shapes: FINE_TUNED,
        aliases=(*SPELLINGS, (r"(/encoderblock_\d+)_spectrogram/", r"\1_spec/")),
    ),
)
