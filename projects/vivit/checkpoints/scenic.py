"""The image transformers and ViViTs of Scenic."""

from typing import Any

from scenic_video.weights.families.blocks import (
    BLOCK,
    ENCODER,
    HEAD,
    POSITIONS,
    QKV,
    SELF_ATTENTION,
)
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
    table_of,
)
from scenic_video.weights.families.token_grids import clip_size, frames_of_patches, image_size

MODELS = "projects.vivit.model"
DOT_PRODUCT = f"{MODELS}:FactorisedDotProduct"
SPACE, TIME = "SpatialTransformer", "TemporalTransformer"
OTHERS = (
    r"mask_token|bottleneck$|embedding_|encoder_norm/|posembed_input|Encoder_modality_token_"
    rf"|{ENCODER}/(Token|encoderblock_\d+_)"
)
"""Parameters of other models of Scenic that have an encoder of this name."""

POOLING = "MAPHead_0"
MAP = (
    *same(f"{POOLING}/probe"),
    *layers(*(f"{POOLING}/{SELF_ATTENTION}/{x}" for x in (*QKV, "out"))),
    *layers(*(f"{POOLING}/MlpBlock_0/Dense_{i}" for i in (0, 1))),
    *norms(f"{POOLING}/LayerNorm_0"),
)
EMBEDDING = layers("embedding", "pre_logits", HEAD)
JOINT = NameTable((*same("cls", POSITIONS), *EMBEDDING, *encoder(), *MAP))
OVER_AXES = ("space", "time")
FACTORISED_ATTENTION = NameTable(
    (
        *same(POSITIONS),
        *EMBEDDING,
        *norms(f"{ENCODER}/encoder_norm"),
        *norms(*(f"{BLOCK}/LayerNorm_{x}" for x in (*OVER_AXES, "mlp"))),
        *layers(
            *(
                f"{BLOCK}/MultiHeadDotProductAttention_{axis}/{x}"
                for axis in OVER_AXES
                for x in (*QKV, "out")
            )
        ),
        *layers(*(f"{BLOCK}/MlpBlock/Dense_{i}" for i in (0, 1))),
    )
)
FACTORISED_ENCODER = NameTable(
    (
        *same(f"cls_{SPACE}", f"cls_{TIME}"),
        *same(*(table_of(f"{name}/posembed_input") for name in (SPACE, TIME))),
        *EMBEDDING,
        *encoder(SPACE),
        *encoder(TIME),
    )
)


def _is_plain(shapes: ParameterShapes, axes: int, attention: str = SELF_ATTENTION) -> bool:
    """Whether it has one plain encoder, and patches of so many `axes`."""
    signs = {f"{HEAD}/kernel", f"{BLOCK.replace('{i}', '0')}/{attention}/query/kernel"}
    kernel = shapes.get("embedding/kernel", ())
    return shapes.keys() >= signs and len(kernel) == axes + 2 and not shapes.has(OTHERS)


def _fits_image(shapes: ParameterShapes) -> bool:
    return _is_plain(shapes, 2) and shapes["embedding/kernel"][2] == 3


def _fits_joint(shapes: ParameterShapes) -> bool:
    return _is_plain(shapes, 3) and POSITIONS in shapes


def _fits_factorised_attention(shapes: ParameterShapes) -> bool:
    return _is_plain(shapes, 3, "MultiHeadDotProductAttention_space")


def _fits_factorised_encoder(shapes: ParameterShapes) -> bool:
    return shapes.keys() >= {f"{HEAD}/kernel", "embedding/kernel"} and shapes.has(f"{SPACE}/")


def _model(name: str, fields: dict[str, Any], shapes: ParameterShapes) -> dict[str, Any]:
    return {"target": f"{MODELS}:{name}", **fields, **shapes.representation()}


def _image(shapes: ParameterShapes) -> Description:
    """A ViT or, if its positions are for several images, a ViViT that embeds single frames."""
    patch = shapes.patch("embedding")
    fields: dict[str, Any] = {**shapes.encoder(), "classifier": _classifier(shapes)}
    if POSITIONS not in shapes:
        fields |= {"patch_size": patch, "positions": "sinusoidal"}
        return Description(model=_model("ViT", fields, shapes))
    places = _places(shapes, POSITIONS, "cls")
    frames = frames_of_patches(places, patch)
    if frames is not None and frames > 1:
        fields |= {"tubelet_size": (1, *patch), "uniform_frames": frames}
        note = (
            f"its {places} positions are taken as those of {frames} square frames, embedded one by "
            "one (model.uniform_frames)"
        )
        return Description(model=_model("SpatioTemporalAttention", fields, shapes), notes=(note,))
    model = _model("ViT", fields | {"patch_size": patch}, shapes)
    size = image_size(places, patch)
    return describe_clips(model, None if size is None else (1, *size))


def _joint(shapes: ParameterShapes) -> Description:
    classifier = _classifier(shapes)
    tubelet = shapes.patch("embedding")
    fields = {**shapes.encoder(), "classifier": classifier, "tubelet_size": tubelet}
    notes: tuple[str, ...] = ()
    if classifier == "gap":
        notes = (
            "a model with factorised dot-product attention has the same parameters; it is taken as "
            f"one with joint attention (else set model.target to {DOT_PRODUCT})",
        )
    model = _model("SpatioTemporalAttention", fields, shapes)
    return describe_clips(model, clip_size(_places(shapes, POSITIONS, "cls"), tubelet), notes)


def _factorised_attention(shapes: ParameterShapes) -> Description:
    tubelet = shapes.patch("embedding")
    sizes = shapes.encoder(attention="MultiHeadDotProductAttention_space", mlp="MlpBlock")
    model = _model("FactorisedSelfAttention", {**sizes, "tubelet_size": tubelet}, shapes)
    note = (
        "its parameters do not show the order of attention over time and space; time is taken to "
        "come first (model.attention_order)"
    )
    return describe_clips(model, clip_size(_places(shapes, POSITIONS, "cls"), tubelet), (note,))


def _factorised_encoder(shapes: ParameterShapes) -> Description:
    tubelet = shapes.patch("embedding")
    classifier = "token" if f"cls_{SPACE}" in shapes else "gap"
    fields: dict[str, Any] = {**shapes.encoder(SPACE), "classifier": classifier}
    fields["tubelet_size"] = tubelet
    places = _places(shapes, table_of(f"{SPACE}/posembed_input"), f"cls_{SPACE}")
    images = image_size(places, tubelet[1:])
    if not shapes.has(f"{TIME}/"):
        return Description(model=_model("FrameAverage", fields, shapes))
    temporal = shapes.encoder(TIME)
    fields["temporal_num_layers"] = temporal["num_layers"]
    for name in ("mlp_dim", "num_heads"):
        if temporal[name] != fields[name]:
            fields[f"temporal_{name}"] = temporal[name]
    model = _model("FactorisedEncoder", fields, shapes)
    steps = _places(shapes, table_of(f"{TIME}/posembed_input"), f"cls_{TIME}")
    return describe_clips(model, None if images is None else (steps * tubelet[0], *images))


def _classifier(shapes: ParameterShapes) -> str:
    if f"{POOLING}/probe" in shapes:
        return "map"
    return "token" if "cls" in shapes else "gap"


def _places(shapes: ParameterShapes, table: str, class_token: str) -> int:
    """The tokens that the positions at `table` are for, without the class token."""
    return shapes.of(table, 3)[1] - (class_token in shapes)


SCENIC = (
    ScenicFamily(
        name="ViT of Scenic", fits=_fits_image, describe=_image, table=lambda shapes: JOINT
    ),
    ScenicFamily(
        name="ViViT of Scenic",
        fits=_fits_joint,
        describe=_joint,
        table=lambda shapes: JOINT,
        alike=(DOT_PRODUCT,),
    ),
    ScenicFamily(
        name="ViViT of Scenic with factorised self-attention",
        fits=_fits_factorised_attention,
        describe=_factorised_attention,
        table=lambda shapes: FACTORISED_ATTENTION,
    ),
    ScenicFamily(
        name="ViViT of Scenic with a factorised encoder",
        fits=_fits_factorised_encoder,
        describe=_factorised_encoder,
        table=lambda shapes: FACTORISED_ENCODER,
    ),
)
