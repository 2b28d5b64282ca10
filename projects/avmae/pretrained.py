"""Starts MBT and models of one modality from masked autoencoders, and MBT from image models."""

import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

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
from scenic_video.weights.initialize import Params, Report, Take, initialize

FRESH = [f"(ProjectionHeadAndClassifier_0/)?{HEAD}"]
FRESH += ["(ProjectionHeadAndClassifier_0/)?pre_logits/.*", "bottleneck"]
"""The parts that neither an autoencoder nor an image model has."""

DECODER = (
    r"(decoder_projection|mask_token|posembed_decoder|Decoder|Decoder_modality_token"
    r"|output_projection)(_rgb|_spectrogram)?(/.*)?"
)
"""What of an autoencoder stays behind: all that makes pixels of what is encoded."""

CLASS_TOKENS = "cls(_?spectrogram)?"
POSITIONS = re.compile(r"(Transformer/)?posembed_input(_spectrogram)?/(.*)")
Inputs = Mapping[str, Sequence[int]]
"""The size of what a model sees, {"rgb": (frames, rows, columns)}."""

BOTTLENECKS = ("fresh", "positions")


def from_autoencoder(
    *,
    target: Params,
    source: Params,
    inputs: Inputs | None = None,
    source_inputs: Inputs | None = None,
    kernel: str = "central_frame",
    allow_fresh: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], Report]:
    """Parameters `target` with those of the encoder of a masked autoencoder, and a report.

    `target` is a `PretrainedMBT` or `MBT` of one modality or both in any order, a `PretrainedViT`,
    or another ViT or ViViT whose blocks have the same names. `source` is an
    `AudiovisualMaskedAutoencoder` or a `MaskedAutoencoder`; how it encodes is read from its paths.
    An encoder of both modalities starts both streams. One for each starts the stream of its
    modality; joint layers on top of those follow in both streams.

    The last LayerNorm is that of the source's last encoder. Where separate encoders start two
    streams there are two for one place: it stays fresh, as where the source has none. Norms
    between unimodal and joint layers have no place at all. Head, bottlenecks, and class tokens that
    the autoencoder lacks are fresh; a class token has no learned position then, so its row of the
    table is zeros.

    Kernels of another number of channels follow `change_channels`, which the public code does not:
    it repeats a kernel for 1 channel three times, so that tokens become three times as large. Image
    kernels become tubelets by `inflate_kernel` with the method `kernel`. Learned positions are
    taken as they are, so the grids of tokens must agree: the sizes `inputs` and `source_inputs` of
    what the two models see, {"rgb": (frames, rows, columns)}, tell where they do not. The decoder,
    and what belongs to a modality that the target does not take, stay unused. Anything else that
    does not match is an error, unless it is declared as in `initialize`.
    """
    flat_target = flatten_dict(dict(target), sep="/")
    flat_source = flatten_dict(dict(source), sep="/")
    streams, encoders = Streams.of(flat_target), Encoders.of(flat_source)
    if streams.plain is None and not encoders.is_one:
        raise UserError(
            "The model shares its blocks between modalities, but the autoencoder has an encoder "
            "for each. Set model.share_encoder=False."
        )
    takes = {
        path: _from_encoder(path, leaf, streams, encoders, flat_source, kernel=kernel)
        for path, leaf in flat_target.items()
    }
    takes = {path: take for path, take in takes.items() if take is not None}
    for path, take in takes.items():
        if POSITIONS.fullmatch(path) and not any(re.fullmatch(p, path) for p in allow_fresh):
            _check_same_grid(path, take, flat_target, flat_source, (inputs, source_inputs))
    fresh = FRESH + ([] if "cls" in flat_source else [CLASS_TOKENS])
    if _last_norm(streams, encoders, flat_source) is None:
        fresh = [*fresh, "(Transformer/)?encoder_norm/.*"]
    return initialize(
        target=target,
        source=source,
        takes=takes,
        allow_fresh=[*present(fresh, flat_target), *allow_fresh],
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
    bottlenecks: str = "fresh",
    allow_fresh: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], Report]:
    """Parameters `target` of an MBT with those of a ViT, `source`, in both streams, and a report.

    `grids` are how many tokens each modality has: "rgb" over time, rows and columns, "spectrogram"
    over time and mel bins; `source_grid` is how many the image has over rows and columns. Where it
    is not given, `source_inputs` may tell it, the size of what the image model sees,
    {"rgb": (frames, rows, columns)}. Positions are resampled, and repeated for every time of the
    video, as `take_positions` says. Kernels follow `inflate_kernel` by `kernel`, and
    `change_channels` for audio of one channel. Bottlenecks are "fresh", or start from
    "positions": the image's table, resampled to as near a square as their number allows. The
    head is fresh. Anything else that does not match is an error, unless it is declared as in
    `initialize`.
    """
    if bottlenecks not in BOTTLENECKS:
        raise UserError(f"bottlenecks start from one of {BOTTLENECKS}; got {bottlenecks!r}.")
    flat_target = flatten_dict(dict(target), sep="/")
    flat_source = flatten_dict(dict(source), sep="/")
    patches = flat_source.get("embedding/kernel")
    require_image_model(
        patches,
        instead="MBT starts from a ViT, or by from_autoencoder from a masked autoencoder.",
    )
    has_token = any(re.fullmatch(CLASS_TOKENS, path) for path in flat_target)
    image_grid = source_grid or token_grid(patches, (source_inputs or {}).get("rgb"))
    options: dict[str, Any] = {"class_token": has_token, "image_class_token": "cls" in flat_source}
    options |= {"image_grid": image_grid}
    takes = {
        path: _from_image(path, leaf, grids=grids, kernel=kernel, **options)
        for path, leaf in flat_target.items()
    }
    fresh = FRESH[:-1] if bottlenecks == "positions" else FRESH
    unused = [HEAD, "pre_logits/.*", "MAPHead_0/.*"] + ([] if has_token else ["cls"])
    return initialize(
        target=target,
        source=source,
        takes=takes,
        allow_fresh=[*present(fresh, flat_target), *allow_fresh],
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
    """What a parameter takes from an autoencoder; None where nothing there is like it."""
    if block := BLOCK.fullmatch(path):
        modality = streams.modality(block[2])
        return Take(f"{encoders.block(modality, int(block[1]))}/{block[3]}")
    if path.startswith(("encoder_norm/", "Transformer/encoder_norm/")):
        norm = _last_norm(streams, encoders, source)
        return None if norm is None else Take(f"{norm}/{path.rpartition('/')[2]}")
    if match := re.fullmatch(r"embedding(_spectrogram)?/(kernel|bias)", path):
        modality = "spectrogram" if match[1] else streams.of_plain_names
        old = f"{encoders.named('embedding', modality)}/{match[2]}"
        return (
            _take_patches(old, leaf, source, kernel=kernel) if match[2] == "kernel" else Take(old)
        )
    if match := POSITIONS.fullmatch(path):
        modality = "spectrogram" if match[2] else streams.of_plain_names
        old = f"{encoders.named('posembed_input', modality)}/{match[3]}"
        longer = old in source and leaf.shape[1] == source[old].shape[1] + 1
        return Take(old, _with_zero_row, "zeros for the class token") if longer else Take(old)
    return Take(path)


def _last_norm(streams: Streams, encoders: Encoders, source: Mapping[str, Any]) -> str | None:
    """Where the autoencoder's last LayerNorm lies; None if each modality has one, or none has."""
    norm = encoders.norm(streams.modalities)
    return norm if f"{norm}/scale" in source else None


def _check_same_grid(
    path: str,
    take: Take,
    target: Mapping[str, Any],
    source: Mapping[str, Any],
    inputs: tuple[Inputs | None, Inputs | None],
) -> None:
    """A ValueError if the positions of `path` are those of another grid, of as many places even."""
    grids = []
    for where, params, seen in zip((path, take.path), (target, source), inputs, strict=True):
        embedding = where.replace("posembed_input", "embedding").removeprefix("Transformer/")
        kernel = params.get(f"{embedding.partition('/')[0]}/kernel")
        seen = seen or {}
        audio = "spectrogram" in where or "rgb" not in seen
        grids.append(token_grid(kernel, seen.get("spectrogram" if audio else "rgb")))
    new, old = grids
    if new is not None and old is not None and old != new:
        raise UserError(
            f"{take.path} are positions over {by_times(old)} tokens, and {path} over "
            f"{by_times(new)}: learned positions of an autoencoder are not resampled. Give this "
            "run as many frames, rows and columns as the autoencoder saw, or name it in "
            "allow_fresh."
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
    """What of an autoencoder has no place in the target."""
    unused = [DECODER]
    unused += [] if any(re.fullmatch(CLASS_TOKENS, path) for path in target) else ["cls"]
    for modality in {"rgb", "spectrogram"} - set(streams.modalities):
        unused.append(rf"(embedding|posembed_input|Transformer)_{modality}/.*")
        unused.append(f"Encoder_modality_token_{modality}")
    for modality in streams.modalities:
        if encoders.norm(streams.modalities) != f"Transformer_{modality}/encoder_norm":
            unused.append(f"Transformer_{modality}/encoder_norm/.*")
    return unused


def _from_image(
    path: str, leaf: Any, *, grids: Mapping[str, Sequence[int]], kernel: str, **image: Any
) -> Take:
    """What a parameter of MBT takes from a ViT."""
    table = f"Transformer/{TABLE}"
    if block := BLOCK.fullmatch(path):
        return Take(f"Transformer/encoderblock_{block[1]}/{block[3]}")
    if match := re.fullmatch(r"embedding(_spectrogram)?/(kernel|bias)", path):
        old = f"embedding/{match[2]}"
        return take_kernel(old, leaf.shape, inflation=kernel) if match[2] == "kernel" else Take(old)
    if match := POSITIONS.fullmatch(path):
        modality = "spectrogram" if match[2] else "rgb"
        if modality not in grids:
            raise UserError(f"grids says nothing of {modality}, which the model takes.")
        grid = (1, *grids[modality]) if len(grids[modality]) == 2 else grids[modality]
        return take_positions(table, grid=grid, **image)
    if path == "bottleneck":
        return _take_bottlenecks(table, leaf.shape[1], **image)
    return Take("cls") if re.fullmatch(CLASS_TOKENS, path) else Take(path)


def _take_bottlenecks(path: str, number: int, *, class_token: bool, **image: Any) -> Take:
    """The image's positions, resampled to `number` places, that of a class token among them."""
    number -= class_token
    rows = max(n for n in range(1, math.isqrt(number) + 1) if number % n == 0)
    grid = (1, rows, number // rows)
    return take_positions(path, grid=grid, class_token=class_token, **image)
