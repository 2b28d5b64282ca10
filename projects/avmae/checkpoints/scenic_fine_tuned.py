"""The encoders of Scenic's masked autoencoders of one modality, with a head."""

from typing import Any

from projects.avmae.checkpoints.scenic_positions import kind_of, number_of, tables
from projects.avmae.modalities import IN_PARAMETERS
from scenic_video.weights.families.blocks import ENCODER, HEAD
from scenic_video.weights.families.names import NameTable
from scenic_video.weights.families.parameter_shapes import ParameterShapes
from scenic_video.weights.families.scenic import (
    Description,
    ScenicFamily,
    describe_clips,
    encoder,
    layers,
    norms,
    same,
)
from scenic_video.weights.families.token_grids import clip_size, image_size

POSITIONS = "posembed_input"
TABLE = NameTable(
    (
        *same("cls"),
        *tables(POSITIONS),
        *same(*(f"Encoder_modality_token_{name}" for name in IN_PARAMETERS.values())),
        *layers("embedding", "pre_logits", HEAD),
        *encoder(),
        *norms("encoder_norm"),
    )
)
SIGNS = "encoder_norm/|posembed_input/|Encoder_modality_token_"
"""What the classifiers that are trained from the start lack."""
OTHERS = rf"mask_token|bottleneck$|embedding_|{ENCODER}/(Token|encoderblock_\d+_|posembed_input)"


def _fits(shapes: ParameterShapes) -> bool:
    """Without a sign, a model of images and one of clips with fixed positions differ: the former
    is equal to a ViT with fixed positions, and is read as one."""
    kernel = shapes.get("embedding/kernel", ())
    if not shapes.keys() >= {f"{HEAD}/kernel", f"{ENCODER}/encoderblock_0/LayerNorm_0/scale"}:
        return False
    of_clips_or_audio = len(kernel) == 5 or (len(kernel) == 4 and kernel[2] == 1)
    return (shapes.has(SIGNS) or of_clips_or_audio) and not shapes.has(OTHERS)


def _describe(shapes: ParameterShapes) -> Description:
    patch = shapes.patch("embedding")
    modality, notes = _modality(shapes, patch)
    fields: dict[str, Any] = {**shapes.encoder(), "modality": modality, "patch_size": patch}
    of_image = len(patch) == 2 and modality == "rgb"
    token, pooled = "cls" in shapes, "encoder_norm/scale" in shapes
    fixed = "sinusoidal" if of_image else "sinusoidal_1d"
    fields |= shapes.representation() | {
        "classifier": "token" if token and not pooled else "gap",
        "class_token": token and pooled,
        "normalize": "pooled" if pooled else "tokens",
        "positions": kind_of(shapes, POSITIONS, fixed=fixed),
        "use_modality_tokens": shapes.has("Encoder_modality_token_"),
    }
    model = {"target": "projects.avmae.finetuning.model:PretrainedViT", **fields}
    places = number_of(shapes, POSITIONS)
    if of_image:
        size = image_size(places, patch)
        return describe_clips(model, None if size is None else (1, *size), notes)
    size = clip_size(places, patch) if len(patch) == 3 else None
    return describe_clips(model, size, notes, modalities=(modality,))


def _modality(shapes: ParameterShapes, patch: tuple[int, ...]) -> tuple[str, tuple[str, ...]]:
    """The input of the patches, and whether it was assumed."""
    for modality, name in IN_PARAMETERS.items():
        if f"Encoder_modality_token_{name}" in shapes:
            return modality, ()
    if len(patch) == 3:
        return "rgb", ()
    if shapes.kernel("embedding")[-2] == 1:
        return "audio", ()
    note = "its parameters do not show whether it takes images or spectrograms; images are assumed"
    return "rgb", (f"{note} (model.modality)",)


FINE_TUNED_ENCODERS = (
    ScenicFamily(
        name="masked autoencoder of Scenic, fine-tuned",
        fits=_fits,
        describe=_describe,
        table=lambda shapes: TABLE,
        aliases=((r"^Encoder_modality_token_spec$", "Encoder_modality_token_spectrogram"),),
    ),
)
