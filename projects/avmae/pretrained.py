"""Initialises MBT and models of one modality from masked autoencoders, and MBT from image
models."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from projects.avmae.autoencoder_origins import AutoencoderOrigins
from projects.avmae.streams import BLOCK, CLASS_TOKENS, POSITIONS
from scenic_video.errors import UserError
from scenic_video.weights.image_models import (
    HEAD,
    TABLE,
    grid_of_positions,
    num_class_tokens,
    present,
    require_image_model,
    take_kernel,
    take_positions,
)
from scenic_video.weights.initialize import Take, initialize
from scenic_video.weights.load_report import LoadReport
from scenic_video.weights.model_weights import ModelWeights

NEW_PARTS = [f"(ProjectionHeadAndClassifier_0/)?{HEAD}"]
NEW_PARTS += ["(ProjectionHeadAndClassifier_0/)?pre_logits/.*", "bottleneck"]
"""The parts that neither an autoencoder nor an image model has."""

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
    become tubelets by `inflate_kernel` with the method `kernel`. Learned positions are not
    resampled, so the grids of tokens must agree, which is checked if the sizes of both models'
    inputs are known. The decoder, and the parts of a modality that the target lacks, are not used.
    Any other mismatch is an error, unless it is declared as in `initialize`.
    """
    origins = AutoencoderOrigins.of(target, source, kernel=kernel)
    takes = {path: origins.take(path) for path in target.flat}
    for path in takes:
        if POSITIONS.fullmatch(path) and not any(re.fullmatch(p, path) for p in allow_random):
            origins.check_grid(path)
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
    image = {
        "class_tokens": int(has_token),
        "image_class_tokens": num_class_tokens(source),
        "image_grid": source.token_grid("rgb"),
        "resampling": target.resampling,
    }
    random = NEW_PARTS[:-1] if bottlenecks == "positions" else NEW_PARTS
    random = random if "cls" in source.flat else [*random, CLASS_TOKENS]
    unused = [HEAD, "pre_logits/.*", "MAPHead_0/.*", "cls_distillation"]
    unused += [] if has_token else ["cls"]
    return initialize(
        target=target,
        source=source,
        takes={path: _from_image(path, target, source, kernel, image) for path in target.flat},
        allow_random=[*present(random, target.flat), *allow_random],
        allow_unused=[*unused, *allow_unused],
    )


def _from_image(
    path: str, target: ModelWeights, source: ModelWeights, kernel: str, image: Mapping[str, Any]
) -> Take:
    """Where a parameter of MBT comes from in a ViT; `image` is for `take_positions`."""
    table, shape = f"Transformer/{TABLE}", target.flat[path].shape
    if block := BLOCK.fullmatch(path):
        return Take(f"Transformer/encoderblock_{block[1]}/{block[3]}")
    if match := re.fullmatch(r"embedding(_spectrogram)?/(kernel|bias)", path):
        old = f"embedding/{match[2]}"
        if match[2] == "bias":
            return Take(old)
        return take_kernel(
            old,
            shape,
            kernel=source.flat.get(old),
            inflation=kernel,
            resampling=target.resampling,
        )
    if match := POSITIONS.fullmatch(path):
        suffix = match[2] or ""
        grid = grid_of_positions(
            target,
            shape[1] - image["class_tokens"],
            "audio" if suffix else "rgb",
            f"embedding{suffix}",
        )
        return take_positions(table, grid=grid, **image)
    if path == "bottleneck":
        return _take_bottlenecks(table, shape[1], image)
    return Take("cls") if re.fullmatch(CLASS_TOKENS, path) else Take(path)


def _take_bottlenecks(path: str, number: int, image: Mapping[str, Any]) -> Take:
    """The image's positions, resampled to `number` places, including that of a class token."""
    number -= image["class_tokens"]
    rows = max(n for n in range(1, math.isqrt(number) + 1) if number % n == 0)
    return take_positions(path, grid=(1, rows, number // rows), **image)
