"""Starts MBT and models of one modality from masked autoencoders, and MBT from image models."""

import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from projects.avmae.modalities import IN_PARAMETERS, MODALITIES
from projects.avmae.streams import BLOCK, Encoders, Streams
from scenic_video.errors import UserError
from scenic_video.field_types import Extents
from scenic_video.weights.image_models import (
    HEAD,
    TABLE,
    by_times,
    change_channels,
    present,
    require_image_model,
    take_kernel,
    take_positions,
    token_grid,
)
from scenic_video.weights.initialize import LoadReport, Params, Take, initialize

NEW_PARTS = [f"(ProjectionHeadAndClassifier_0/)?{HEAD}"]
NEW_PARTS += ["(ProjectionHeadAndClassifier_0/)?pre_logits/.*", "bottleneck"]
"""The parts that neither an autoencoder nor an image model has."""

DECODER = (
    r"(decoder_projection|mask_token|posembed_decoder|Decoder|Decoder_modality_token"
    r"|output_projection)(_rgb|_spectrogram)?(/.*)?"
)
"""The parts of an autoencoder that are dropped: all that turns encoded tokens into pixels."""

CLASS_TOKENS = "cls(_?spectrogram)?"
POSITIONS = re.compile(r"(Transformer/)?posembed_input(_spectrogram)?/(.*)")
Inputs = Mapping[str, Sequence[int]]
"""The sizes of a model's inputs, {"rgb": (frames, rows, columns)}."""

BOTTLENECKS = ("random", "positions")


def from_autoencoder(
    *,
    target: Params,
    source: Params,
    inputs: Inputs | None = None,
    source_inputs: Inputs | None = None,
    kernel: str = "central_frame",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters `target`, initialised from the encoder of a masked autoencoder, and a report.

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
    resampled, so the grids of tokens must agree: this is checked with the input sizes `inputs` and
    `source_inputs` of the two models, {"rgb": (frames, rows, columns)}. The decoder, and the parts
    of a modality that the target lacks, are not used. Any other mismatch is an error, unless it is
    declared as in `initialize`.
    """
    flat_target = flatten_dict(dict(target), sep="/")
    flat_source = flatten_dict(dict(source), sep="/")
    streams, encoders = Streams.of(flat_target), Encoders.of(flat_source)
    if streams.plain is None and not encoders.is_one:
        raise UserError(
            "The model shares its blocks between modalities, but the autoencoder has separate "
            "encoders. Set model.share_encoder=False."
        )
    takes = {
        path: _from_encoder(path, leaf, streams, encoders, flat_source, kernel=kernel)
        for path, leaf in flat_target.items()
    }
    takes = {path: take for path, take in takes.items() if take is not None}
    for path, take in takes.items():
        if POSITIONS.fullmatch(path) and not any(re.fullmatch(p, path) for p in allow_random):
            _check_same_grid(path, take, flat_target, flat_source, (inputs, source_inputs))
    random = NEW_PARTS + ([] if "cls" in flat_source else [CLASS_TOKENS])
    if _last_norm(streams, encoders, flat_source) is None:
        random = [*random, "(Transformer/)?encoder_norm/.*"]
    return initialize(
        target=target,
        source=source,
        takes=takes,
        allow_random=[*present(random, flat_target), *allow_random],
        allow_unused=[*_left_behind(flat_target, streams, encoders), *allow_unused],
    )


def from_image_model(
    *,
    target: Params,
    source: Params,
    grids: Mapping[str, Extents],
    source_grid: Extents | None = None,
    source_inputs: Inputs | None = None,
    kernel: str = "central_frame",
    bottlenecks: str = "random",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters `target` of an MBT, both streams initialised from a ViT `source`, and a
    report.

    `grids` is the number of tokens of each modality: "rgb" over time, rows and columns,
    "audio" over time and mel bins; `source_grid` is that of the image over rows and columns.
    If it is not given, it follows from `source_inputs`, the input size of the image model, {"rgb":
    (frames, rows, columns)}. Positions are resampled and repeated over time (see `take_positions`).
    Kernels are inflated by `inflate_kernel` with the method `kernel`, and adapted by
    `change_channels` for audio of one channel. `bottlenecks` are "random", or start from
    "positions": the image's table, resampled to a grid as close to a square as possible. The head
    is randomly initialised. Any other mismatch is an error, unless it is declared as in
    `initialize`.

    Its many parameters are the fields of the config node `init`.
    """
    if bottlenecks not in BOTTLENECKS:
        raise UserError(f"bottlenecks start from one of {BOTTLENECKS}; got {bottlenecks!r}.")
    flat_target = flatten_dict(dict(target), sep="/")
    flat_source = flatten_dict(dict(source), sep="/")
    patches = flat_source.get("embedding/kernel")
    require_image_model(
        patches,
        instead="Start MBT from a ViT, or with from_autoencoder from a masked autoencoder.",
    )
    has_token = any(re.fullmatch(CLASS_TOKENS, path) for path in flat_target)
    image_grid = source_grid or token_grid(patches, (source_inputs or {}).get("rgb"))
    options: dict[str, Any] = {"class_token": has_token, "image_class_token": "cls" in flat_source}
    options |= {"image_grid": image_grid}
    takes = {
        path: _from_image(path, leaf, grids=grids, kernel=kernel, **options)
        for path, leaf in flat_target.items()
    }
    random = NEW_PARTS[:-1] if bottlenecks == "positions" else NEW_PARTS
    unused = [HEAD, "pre_logits/.*", "MAPHead_0/.*"] + ([] if has_token else ["cls"])
    return initialize(
        target=target,
        source=source,
        takes=takes,
        allow_random=[*present(random, flat_target), *allow_random],
        allow_unused=[*unused, *allow_unused],
    )


def _from_encoder(
    path: str,
    leaf: Any,
    streams: Streams,
    encoders: Encoders,
    source: Mapping[str, Any],
    *,
    kernel: str,
) -> Take | None:
    """Where a parameter comes from in an autoencoder; None if it has no counterpart there."""
    if block := BLOCK.fullmatch(path):
        modality = streams.modality(block[2])
        return Take(f"{encoders.block(modality, int(block[1]))}/{block[3]}")
    if path.startswith(("encoder_norm/", "Transformer/encoder_norm/")):
        norm = _last_norm(streams, encoders, source)
        return None if norm is None else Take(f"{norm}/{path.rpartition('/')[2]}")
    if match := re.fullmatch(r"embedding(_spectrogram)?/(kernel|bias)", path):
        modality = "audio" if match[1] else streams.of_plain_names
        old = f"{encoders.named('embedding', modality)}/{match[2]}"
        return (
            _take_patches(old, leaf, source, kernel=kernel) if match[2] == "kernel" else Take(old)
        )
    if match := POSITIONS.fullmatch(path):
        modality = "audio" if match[2] else streams.of_plain_names
        old = f"{encoders.named('posembed_input', modality)}/{match[3]}"
        longer = old in source and leaf.shape[1] == source[old].shape[1] + 1
        return Take(old, _with_zero_row, "zeros for the class token") if longer else Take(old)
    return Take(path)


def _last_norm(streams: Streams, encoders: Encoders, source: Mapping[str, Any]) -> str | None:
    """The path of the autoencoder's last LayerNorm; None unless there is exactly one."""
    norm = encoders.norm(streams.modalities)
    return norm if f"{norm}/scale" in source else None


def _check_same_grid(
    path: str,
    take: Take,
    target: Mapping[str, Any],
    source: Mapping[str, Any],
    inputs: tuple[Inputs | None, Inputs | None],
) -> None:
    """Errors: UserError if the grids of the positions differ, even with the same number of
    them."""
    grids = []
    for where, params, seen in zip((path, take.path), (target, source), inputs, strict=True):
        embedding = where.replace("posembed_input", "embedding").removeprefix("Transformer/")
        kernel = params.get(f"{embedding.partition('/')[0]}/kernel")
        seen = seen or {}
        audio = "spectrogram" in where or "rgb" not in seen
        grids.append(token_grid(kernel, seen.get("audio" if audio else "rgb")))
    new, old = grids
    if new is not None and old is not None and old != new:
        raise UserError(
            f"{take.path} has positions for {by_times(old)} tokens, and {path} for "
            f"{by_times(new)}. Learned positions of an autoencoder are not resampled: use as many "
            "frames, rows and columns as the autoencoder was trained with, or name the path in "
            "allow_random."
        )


def _take_patches(path: str, leaf: Any, source: Mapping[str, Any], *, kernel: str) -> Take:
    old = source.get(path)
    if old is None or old.ndim < leaf.ndim:
        return take_kernel(path, leaf.shape, inflation=kernel)
    channels = leaf.shape[-2]
    if old.shape[-2] == channels:
        return Take(path)
    change = functools.partial(change_channels, channels=channels)
    return Take(path, change, f"{old.shape[-2]} to {channels} channels")


def _with_zero_row(table: np.ndarray) -> np.ndarray:
    return np.pad(table, ((0, 0), (1, 0), (0, 0)))


def _left_behind(target: Mapping[str, Any], streams: Streams, encoders: Encoders) -> list[str]:
    """Patterns of the parts of an autoencoder that the target lacks."""
    unused = [DECODER]
    unused += [] if any(re.fullmatch(CLASS_TOKENS, path) for path in target) else ["cls"]
    for modality in set(MODALITIES) - set(streams.modalities):
        written = IN_PARAMETERS[modality]
        unused.append(rf"(embedding|posembed_input|Transformer)_{written}/.*")
        unused.append(f"Encoder_modality_token_{written}")
    for modality in streams.modalities:
        own = f"Transformer_{IN_PARAMETERS[modality]}/encoder_norm"
        if encoders.norm(streams.modalities) != own:
            unused.append(f"{own}/.*")
    return unused


def _from_image(
    path: str, leaf: Any, *, grids: Mapping[str, Sequence[int]], kernel: str, **image: Any
) -> Take:
    """Where a parameter of MBT comes from in a ViT."""
    table = f"Transformer/{TABLE}"
    if block := BLOCK.fullmatch(path):
        return Take(f"Transformer/encoderblock_{block[1]}/{block[3]}")
    if match := re.fullmatch(r"embedding(_spectrogram)?/(kernel|bias)", path):
        old = f"embedding/{match[2]}"
        return take_kernel(old, leaf.shape, inflation=kernel) if match[2] == "kernel" else Take(old)
    if match := POSITIONS.fullmatch(path):
        modality = "audio" if match[2] else "rgb"
        if modality not in grids:
            raise UserError(f"grids lacks {modality}, an input of the model.")
        grid = (1, *grids[modality]) if len(grids[modality]) == 2 else grids[modality]
        return take_positions(table, grid=grid, **image)
    if path == "bottleneck":
        return _take_bottlenecks(table, leaf.shape[1], **image)
    return Take("cls") if re.fullmatch(CLASS_TOKENS, path) else Take(path)


def _take_bottlenecks(path: str, number: int, *, class_token: bool, **image: Any) -> Take:
    """The image's positions, resampled to `number` places, including that of a class token."""
    number -= class_token
    rows = max(n for n in range(1, math.isqrt(number) + 1) if number % n == 0)
    grid = (1, rows, number // rows)
    return take_positions(path, grid=grid, class_token=class_token, **image)
