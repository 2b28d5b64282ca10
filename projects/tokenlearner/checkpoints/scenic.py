"""The TokenLearners of Scenic, of images and of clips."""

from typing import Any

from scenic_video.weights.families.blocks import ENCODER, HEAD, POSITIONS
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
from scenic_video.weights.families.token_grids import clip_size, frames_of_patches, image_size

LEARNERS = {
    "v1": f"{ENCODER}/TokenLearnerModule_{{i}}",
    "v1.1": f"{ENCODER}/TokenLearnerModuleV11_{{i}}",
}
FUSER = f"{ENCODER}/TokenFuser_{{i}}"
MLP = [f"token_masking/Dense_{i}" for i in (0, 1)]
FUSER_NORMS = ("LayerNorm_0", "fuser_mix_norm1", "fuser_mix_norm2")

TABLE = NameTable(
    (
        *same(POSITIONS),
        *layers("embedding", "pre_logits", HEAD),
        *encoder(),
        *norms(*(f"{learner}/LayerNorm_0" for learner in LEARNERS.values())),
        *same(*(f"{LEARNERS['v1']}/Conv_{i}/kernel" for i in range(4))),
        *layers(*(f"{LEARNERS['v1.1']}/{x}" for x in MLP)),
        *norms(*(f"{FUSER}/{x}" for x in FUSER_NORMS)),
        *layers(*(f"{FUSER}/{x}" for x in ("Dense_0", *MLP))),
    )
)


def _fits(shapes: ParameterShapes) -> bool:
    return f"{HEAD}/kernel" in shapes and shapes.has(rf"{ENCODER}/TokenLearnerModule(V11)?_\d+/")


def _describe(shapes: ParameterShapes) -> Description:
    patch = shapes.patch("embedding")
    fields: dict[str, Any] = shapes.encoder() | shapes.representation() | _learner(shapes)
    notes = ()
    if not shapes.has(f"{ENCODER}/TokenFuser_"):
        notes = (
            "its parameters do not show before which block tokens are learned; "
            f"{fields['token_learner_at']} is assumed (model.token_learner_at)",
        )
    places = shapes.of(POSITIONS, 3)[1]
    if len(patch) == 3:
        model = _model("TokenLearnerViViT", fields, tubelet_size=patch)
        return describe_clips(model, clip_size(places, patch), notes)
    frames = frames_of_patches(places, patch)
    if frames is not None and frames > 1:
        fields["uniform_frames"] = frames
        model = _model("TokenLearnerViViT", fields, tubelet_size=(1, *patch))
        return Description(model=model, notes=notes)
    size = image_size(places, patch)
    model = _model("TokenLearnerViT", fields, patch_size=patch)
    return describe_clips(model, None if size is None else (1, *size), notes)


def _learner(shapes: ParameterShapes) -> dict[str, Any]:
    """The fields of the modules that learn tokens, and of those that fuse them."""
    kind = "v1.1" if shapes.has(f"{ENCODER}/TokenLearnerModuleV11_") else "v1"
    first = LEARNERS[kind].replace("{i}", "0")
    if kind == "v1.1":
        width, tokens = shapes.of(f"{first}/{MLP[1]}/kernel", 2)
        fields: dict[str, Any] = {"bottleneck_dim": width}
    else:
        tokens = shapes.of(f"{first}/Conv_0/kernel", 4)[-1]
        fields = {}
    fields |= {"token_learner": kind, "num_tokens": tokens}
    blocks = shapes.count(rf"{ENCODER}/encoderblock_(\d+)/")
    fusers = shapes.count(rf"{ENCODER}/TokenFuser_(\d+)/")
    if not fusers:
        return fields | {"token_learner_at": blocks * 3 // 4}
    width = shapes.of(f"{FUSER.replace('{i}', '0')}/{MLP[0]}/kernel", 2)[1]
    fields |= {"token_fuser": True, "fuser_bottleneck_dim": width}
    return fields | {"token_learner_at": max(blocks - fusers, 0)}


def _model(name: str, fields: dict[str, Any], **patch: Any) -> dict[str, Any]:
    return {"target": f"projects.tokenlearner.model:{name}", **fields, **patch}


SCENIC = (
    ScenicFamily(
        name="TokenLearner of Scenic", fits=_fits, describe=_describe, table=lambda shapes: TABLE
    ),
)
