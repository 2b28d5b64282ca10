"""Initialises MBT and models of one modality from masked autoencoders, and from supervised
models."""

import re
from collections.abc import Sequence
from typing import Any

from projects.avmae.autoencoder_origins import AutoencoderOrigins
from projects.avmae.classifier_origins import from_same, take_from_classifier
from projects.avmae.image_origins import Image, take_from_image
from projects.avmae.streams import CLASS_TOKENS
from scenic_video.errors import UserError
from scenic_video.weights.image_models import (
    HEAD,
    present,
    require_image_model,
)
from scenic_video.weights.initialize import initialize
from scenic_video.weights.load_report import LoadReport
from scenic_video.weights.model_weights import ModelWeights

NEW_PARTS = [f"(ProjectionHeadAndClassifier_0/)?{HEAD}"]
NEW_PARTS += ["(ProjectionHeadAndClassifier_0/)?pre_logits/.*", "bottleneck"]
"""The parts that neither an autoencoder nor an image model has."""

HEADS_OF_CLASSIFIERS = (HEAD, "pre_logits/.*", "MAPHead_0/.*", "cls_distillation")
"""The parts of a supervised ViT or ViViT that no model here takes."""

BOTTLENECKS = ("random", "positions")


def from_autoencoder(
    *,
    target: ModelWeights,
    source: ModelWeights,
    kernel: str = "central_frame",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of `target`, initialised from the encoder of a masked autoencoder, and a
    report.

    `target` is a `PretrainedMBT` or `MBT` of one modality or both in any order, a `PretrainedViT`,
    or another ViT or ViViT whose blocks have the same names. `source` is an
    `AudiovisualMaskedAutoencoder` or a `MaskedAutoencoder`, whose kind of encoder is found from its
    paths. A joint encoder initialises both streams; separate encoders initialise the stream of
    their modality; joint layers after separate ones are copied to both streams.

    The last LayerNorm is that of the source's last encoder. It is randomly initialised if separate
    encoders have one each, or if the source has none. Norms between unimodal and joint layers are
    not used. The head, the bottlenecks, and class tokens that the autoencoder lacks are randomly
    initialised; such a class token has zeros in the table of learned positions.

    For another number of channels kernels follow `change_channels`. The public code instead repeats
    a kernel for 1 channel three times, which makes tokens three times as large. Image kernels
    become tubelets by `inflate_kernel` with the method `kernel`. Learned positions are resampled if
    the sizes of both models' inputs are known. The decoder, and the parts of a modality that the
    target lacks, are not used. Any other mismatch is an error, unless it is declared as in
    `initialize`.
    """
    origins = AutoencoderOrigins.of(target, source, kernel=kernel)
    takes = {path: origins.take(path) for path in target.flat}
    random = NEW_PARTS + ([] if "cls" in source.flat else [CLASS_TOKENS])
    if origins.last_norm is None:
        random = [*random, "(Transformer/)?encoder_norm/.*"]
    return initialize(
        target=target,
        source=source,
        takes={path: take for path, take in takes.items() if take is not None},
        allow_random=[*present(random, target.flat), *allow_random],
        allow_unused=[*origins.unused(), *allow_unused],
    )


def from_image_model(
    *,
    target: ModelWeights,
    source: ModelWeights,
    kernel: str = "central_frame",
    bottlenecks: str = "random",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of the MBT `target`, both streams initialised from the ViT `source`, and a
    report.

    Positions are resampled to the grid of each modality, and repeated over time (see
    `take_positions`). Kernels are inflated by `inflate_kernel` with the method `kernel`, and
    adapted by `change_channels` for audio of one channel. `bottlenecks` are "random", or start from
    "positions": the image's table, resampled to a grid as close to a square as possible. The head
    is randomly initialised. Any other mismatch is an error, unless it is declared as in
    `initialize`.
    """
    if bottlenecks not in BOTTLENECKS:
        raise UserError(f"bottlenecks must be one of {BOTTLENECKS}; got {bottlenecks!r}.")
    require_image_model(
        source, instead="Start MBT from a ViT, or with from_autoencoder from a masked autoencoder."
    )
    has_token = any(re.fullmatch(CLASS_TOKENS, path) for path in target.flat)
    image = Image(target, source, kernel=kernel, class_tokens=int(has_token))
    random = NEW_PARTS[:-1] if bottlenecks == "positions" else NEW_PARTS
    random = random if "cls" in source.flat else [*random, CLASS_TOKENS]
    unused = [*HEADS_OF_CLASSIFIERS, *([] if has_token else ["cls"])]
    return initialize(
        target=target,
        source=source,
        takes={path: take_from_image(path, image) for path in target.flat},
        allow_random=[*present(random, target.flat), *allow_random],
        allow_unused=[*unused, *allow_unused],
    )


def from_classifier(
    *,
    target: ModelWeights,
    source: ModelWeights,
    kernel: str = "central_frame",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of the `PretrainedViT` `target`, initialised from a supervised ViT, or a ViViT
    with joint attention, and a report.

    In a `PretrainedViT` the class token has no position of its own: the source's is added to its
    class token. Positions are resampled to the grid of the target, and those of an image repeated
    over time. Kernels follow `take_kernel`. The last LayerNorm goes where the target has it. The
    head is randomly initialised, and so is a class token that the source lacks.
    """
    random = [*NEW_PARTS, *([] if "cls" in source.flat else ["cls"])]
    unused = [*HEADS_OF_CLASSIFIERS, *([] if "cls" in target.flat else ["cls"])]
    return initialize(
        target=target,
        source=source,
        takes={
            path: take_from_classifier(path, target, source, kernel=kernel) for path in target.flat
        },
        allow_random=[*present(random, target.flat), *allow_random],
        allow_unused=[*unused, *allow_unused],
    )


def from_same_model(
    *,
    target: ModelWeights,
    source: ModelWeights,
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of `target`, including those of the head, from a source with the same ones,
    and a report. Positions and patches of other sizes are resampled."""
    return initialize(
        target=target,
        source=source,
        takes={path: from_same(path, target, source) for path in target.flat},
        allow_random=allow_random,
        allow_unused=allow_unused,
    )
