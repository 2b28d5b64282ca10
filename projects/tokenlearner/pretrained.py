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
from scenic_video.weights.initialize import Params, Report, Take, initialize

POSITIONS = f"Transformer/{TABLE}"
TOKEN_MODULES = "Transformer/Token(Learner|Fuser)[^/]*/.*"
BLOCK = re.compile(r"Transformer/encoderblock_(\d+)/(.*)")
BRANCH_ENDS = ("MultiHeadDotProductAttention_0/out/", "MlpBlock_0/Dense_1/")
"""What the two residual branches of a block end with."""

EXTRA_BLOCKS = ("identity", "fresh", "copy")


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
    allow_fresh: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], Report]:
    """Parameters `target` of a TokenLearnerViT or TokenLearnerViViT with those of an image model.

    `source` is a ViT, with or without a class token, or a TokenLearnerViT. `grid` is how many
    tokens the input has over time (1 for an image), rows and columns, `source_grid` how many the
    source has over rows and columns; where that is not given, `source_inputs` may tell it, the size
    of what it sees, {"rgb": (frames, rows, columns)}. Positions are resampled and repeated for
    every time as `take_positions` says; a tubelet's kernel follows `inflate_kernel` by `kernel`.
    Modules that learn and fuse tokens are those of the source if it has any, else fresh. A class
    token and the head are dropped.

    The last `num_extra_layers` blocks of the target are not in the source, the 11 of "24+11". The
    paper trains them with the rest from the beginning, so that no checkpoint of 24 has them. As
    `extra_blocks` says they are "identity": drawn, but for the last layer of both their branches,
    which is zero, so that the model starts as the one of 24 layers does; or "fresh", all drawn; or
    "copy" of the last blocks of the source. What else does not match is an error, unless it is
    declared as in `initialize`.
    """
    shape, patches = target["embedding"]["kernel"].shape, source.get("embedding", {}).get("kernel")
    require_image_model(
        patches, instead="Take init.target=projects.tokenlearner.pretrained:from_video_model."
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
        allow_fresh=allow_fresh,
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
    allow_fresh: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], Report]:
    """Parameters `target` of a TokenLearnerViViT with those of a video model of the same size.

    `source` is a ViViT of joint attention (`SpatioTemporalAttention`), with or without a class
    token, or another TokenLearnerViViT. Both grids are tokens over time, rows and columns;
    positions are resampled from one to the other. All else is as in `from_image_model`.
    """
    positions = take_resampled_positions(POSITIONS, old=source_grid, new=grid, class_token=False)
    return _start(
        target,
        source,
        takes={POSITIONS: positions},
        num_extra_layers=num_extra_layers,
        extra_blocks=extra_blocks,
        allow_fresh=allow_fresh,
        allow_unused=allow_unused,
    )


def _start(
    target: Params,
    source: Params,
    *,
    takes: Mapping[str, Take],
    num_extra_layers: Count,
    extra_blocks: str,
    allow_fresh: Sequence[str],
    allow_unused: Sequence[str],
) -> tuple[dict[str, Any], Report]:
    """`target` with `takes`, and else what has the same path in `source`."""
    if extra_blocks not in EXTRA_BLOCKS:
        raise UserError(f"extra_blocks is one of {EXTRA_BLOCKS}; got {extra_blocks!r}.")
    flat_target = flatten_dict(dict(target), sep="/")
    flat_source = flatten_dict(dict(source), sep="/")
    num_layers = _num_layers(flat_target)
    extra = range(num_layers - num_extra_layers, num_layers)
    if extra_blocks == "identity":
        flat_target = {path: _silenced(path, leaf, extra) for path, leaf in flat_target.items()}
    fresh, unused = [HEAD], [HEAD, "MAPHead_0/.*", "cls"]
    if not present([TOKEN_MODULES], flat_source):
        fresh.append(TOKEN_MODULES)
    if extra_blocks != "copy":
        fresh += [f"Transformer/encoderblock_{layer}/.*" for layer in extra]
    if "pre_logits/kernel" not in flat_target:
        unused.append("pre_logits/.*")
    added = num_layers - _num_layers(flat_source)
    others = {path: _take(path, extra, added) for path in flat_target}
    return initialize(
        target=unflatten_dict(flat_target, sep="/"),
        source=source,
        takes=others | {path: take for path, take in takes.items() if path in flat_target},
        allow_fresh=[*present(fresh, flat_target), *allow_fresh],
        allow_unused=[*unused, *allow_unused],
    )


def _take(path: str, extra: range, added: int) -> Take:
    """From the same path; for an extra block, from the block as far from the end of the source."""
    layer, rest = _block_of(path)
    if layer not in extra:
        return Take(path)
    return Take(f"Transformer/encoderblock_{layer - added}/{rest}", name="copy")


def _silenced(path: str, leaf: Any, extra: range) -> Any:
    """Zeros for what the branches of an extra block end with, the leaf itself else."""
    layer, rest = _block_of(path)
    ends = layer in extra and rest.startswith(BRANCH_ENDS)
    return np.zeros(leaf.shape, leaf.dtype) if ends else leaf


def _num_layers(params: Mapping[str, Any]) -> int:
    return 1 + max(_block_of(path)[0] for path in params)


def _block_of(path: str) -> tuple[int, str]:
    """The layer of a block's parameter and its path in the block; -1 for what is in no block."""
    block = BLOCK.fullmatch(path)
    return (int(block[1]), block[2]) if block else (-1, path)
