"""Starts a TokenLearner transformer from an image model, a ViViT, or another TokenLearner."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from scenic_video.errors import UserError
from scenic_video.field_types import Count, Extents
from scenic_video.weights.image_models import (
    HEAD,
    TABLE,
    present,
    require_image_model,
    take_kernel,
    take_positions,
    take_resampled_positions,
    token_grid,
)
from scenic_video.weights.initialize import LoadReport, Params, Take, initialize

POSITIONS = f"Transformer/{TABLE}"
TOKEN_MODULES = "Transformer/Token(Learner|Fuser)[^/]*/.*"
BLOCK = re.compile(r"Transformer/encoderblock_(\d+)/(.*)")
BRANCH_ENDS = ("MultiHeadDotProductAttention_0/out/", "MlpBlock_0/Dense_1/")
"""The last layers of the two residual branches of a block."""

EXTRA_BLOCKS = ("identity", "random", "copy")


def from_image_model(
    *,
    target: Params,
    source: Params,
    grid: Extents,
    source_grid: Extents | None = None,
    source_inputs: Mapping[str, Sequence[int]] | None = None,
    kernel: str = "central_frame",
    num_extra_layers: Count = 0,
    extra_blocks: str = "identity",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters `target` of a TokenLearnerViT or TokenLearnerViViT, from an image model.

    `source` is a ViT, with or without a class token, or a TokenLearnerViT. `grid` is the number of
    tokens of the input over time (1 for an image), rows and columns, and `source_grid` that of the
    source over rows and columns. If it is not given, it follows from `source_inputs`, the input
    size of the source, {"rgb": (frames, rows, columns)}. Positions are resampled and repeated over
    time (see `take_positions`); kernels are inflated by `inflate_kernel` with the method `kernel`.
    The modules that learn and fuse tokens come from the source if it has them; otherwise they are
    randomly initialised. The class token and the head are dropped.

    The source lacks the last `num_extra_layers` blocks of the target, the 11 of "24+11": the paper
    trains them with the others from the start, so no checkpoint of 24 layers has them.
    `extra_blocks` "identity" initialises them randomly, except the last layer of both branches,
    which is zero, so that the model starts out equal to that of 24 layers; "random" initialises all
    of their layers randomly; "copy" copies the last blocks of the source. Any other mismatch is an
    error, unless it is declared as in `initialize`.

    Its many parameters are the fields of the config node `init`.
    """
    shape, patches = target["embedding"]["kernel"].shape, source.get("embedding", {}).get("kernel")
    require_image_model(
        patches, instead="Use init.target=projects.tokenlearner.pretrained:from_video_model."
    )
    takes = {
        "embedding/kernel": take_kernel("embedding/kernel", shape, inflation=kernel),
        POSITIONS: take_positions(
            POSITIONS,
            grid=grid,
            class_token=False,
            image_class_token="cls" in source,
            image_grid=source_grid or token_grid(patches, (source_inputs or {}).get("rgb")),
        ),
    }
    return _start(
        target,
        source,
        takes=takes,
        num_extra_layers=num_extra_layers,
        extra_blocks=extra_blocks,
        allow_random=allow_random,
        allow_unused=allow_unused,
    )


def from_video_model(
    *,
    target: Params,
    source: Params,
    grid: Extents,
    source_grid: Extents,
    num_extra_layers: Count = 0,
    extra_blocks: str = "identity",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters `target` of a TokenLearnerViViT, from a video model of the same size.

    `source` is a ViViT with joint attention (`SpatioTemporalAttention`), with or without a class
    token, or another TokenLearnerViViT. Both grids count tokens over time, rows and columns;
    positions are resampled from one to the other. Otherwise as in `from_image_model`.

    Its many parameters are the fields of the config node `init`.
    """
    positions = take_resampled_positions(POSITIONS, old=source_grid, new=grid, class_token=False)
    return _start(
        target,
        source,
        takes={POSITIONS: positions},
        num_extra_layers=num_extra_layers,
        extra_blocks=extra_blocks,
        allow_random=allow_random,
        allow_unused=allow_unused,
    )


def _start(
    target: Params,
    source: Params,
    *,
    takes: Mapping[str, Take],
    num_extra_layers: Count,
    extra_blocks: str,
    allow_random: Sequence[str],
    allow_unused: Sequence[str],
) -> tuple[dict[str, Any], LoadReport]:
    """`target` with `takes`, and otherwise with the same paths in `source`."""
    if extra_blocks not in EXTRA_BLOCKS:
        raise UserError(f"extra_blocks must be one of {EXTRA_BLOCKS}; got {extra_blocks!r}.")
    flat_target = flatten_dict(dict(target), sep="/")
    flat_source = flatten_dict(dict(source), sep="/")
    num_layers = _num_layers(flat_target)
    extra = range(num_layers - num_extra_layers, num_layers)
    if extra_blocks == "identity":
        flat_target = {path: _zero_ends(path, leaf, extra) for path, leaf in flat_target.items()}
    random, unused = [HEAD], [HEAD, "MAPHead_0/.*", "cls"]
    if not present([TOKEN_MODULES], flat_source):
        random.append(TOKEN_MODULES)
    if extra_blocks != "copy":
        random += [f"Transformer/encoderblock_{layer}/.*" for layer in extra]
    if "pre_logits/kernel" not in flat_target:
        unused.append("pre_logits/.*")
    added = num_layers - _num_layers(flat_source)
    others = {path: _take(path, extra, added) for path in flat_target}
    return initialize(
        target=unflatten_dict(flat_target, sep="/"),
        source=source,
        takes=others | {path: take for path, take in takes.items() if path in flat_target},
        allow_random=[*present(random, flat_target), *allow_random],
        allow_unused=[*unused, *allow_unused],
    )


def _take(path: str, extra: range, added: int) -> Take:
    """From the same path; an extra block, from the block as far from the end in the source."""
    layer, rest = _block_of(path)
    if layer not in extra:
        return Take(path)
    return Take(f"Transformer/encoderblock_{layer - added}/{rest}", name="copy")


def _zero_ends(path: str, leaf: Any, extra: range) -> Any:
    """Zeros for the last layers of the branches of an extra block, else the leaf itself."""
    layer, rest = _block_of(path)
    ends = layer in extra and rest.startswith(BRANCH_ENDS)
    return np.zeros(leaf.shape, leaf.dtype) if ends else leaf


def _num_layers(params: Mapping[str, Any]) -> int:
    return 1 + max(_block_of(path)[0] for path in params)


def _block_of(path: str) -> tuple[int, str]:
    """The number of a parameter's block (-1 if it is in none) and its path in the block."""
    block = BLOCK.fullmatch(path)
    return (int(block[1]), block[2]) if block else (-1, path)
