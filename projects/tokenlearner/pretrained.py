"""Initialises a TokenLearner transformer from an image model, a ViViT, or another TokenLearner."""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from flax.traverse_util import unflatten_dict

from scenic_video.errors import UserError
from scenic_video.field_types import Count
from scenic_video.weights.image_models import (
    HEAD,
    TABLE,
    grid_of_positions,
    is_image_model,
    num_class_tokens,
    present,
    require_image_model,
    take_kernel,
    take_positions,
    take_resampled_positions,
)
from scenic_video.weights.initialize import Take, initialize
from scenic_video.weights.load_report import LoadReport
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.starts import Start, has_same_parameters, start_by

KERNEL = "embedding/kernel"
POSITIONS = f"Transformer/{TABLE}"
TOKEN_MODULES = "Transformer/Token(Learner|Fuser)[^/]*/.*"
BLOCK = re.compile(r"Transformer/encoderblock_(\d+)/(.*)")
BRANCH_ENDS = ("MultiHeadDotProductAttention_0/out/", "MlpBlock_0/Dense_1/")
"""The last layers of the two residual branches of a block."""

EXTRA_BLOCKS = ("identity", "random", "copy")


def start(
    *,
    target: ModelWeights,
    source: ModelWeights,
    kernel: str = "central_frame",
    extra_blocks: str = "identity",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> Start:
    """By `from_same_model` if the two have the same parameters, else by `from_image_model` or
    `from_video_model`, whose fields these are. The blocks that the source lacks are extra ones."""
    common = {"target": target, "source": source}
    common |= {"allow_random": allow_random, "allow_unused": allow_unused}
    if has_same_parameters(target, source):
        why = "the source has the same parameters"
        return start_by(from_same_model, because=why, **common)
    extra = max(0, _num_layers(target.flat) - _num_layers(source.flat))
    common |= {"num_extra_layers": extra, "extra_blocks": extra_blocks}
    if is_image_model(source, "rgb"):
        why = "the source is an image model"
        return start_by(from_image_model, because=why, kernel=kernel, **common)
    return start_by(from_video_model, because="the source is a video model", **common)


def from_image_model(
    *,
    target: ModelWeights,
    source: ModelWeights,
    kernel: str = "central_frame",
    num_extra_layers: Count = 0,
    extra_blocks: str = "identity",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of the TokenLearnerViT or TokenLearnerViViT `target`, from an image model, and
    a report.

    `source` is a ViT, with or without a class token, or a TokenLearnerViT. Positions are resampled
    and repeated over time (see `take_positions`); kernels are inflated by `inflate_kernel` with the
    method `kernel`. The modules that learn and fuse tokens come from the source if it has them;
    otherwise they are randomly initialised. The class token and the head are dropped.

    The source lacks the last `num_extra_layers` blocks of the target, the 11 of "24+11": the paper
    trains them with the others from the start, so no checkpoint of 24 layers has them.
    `extra_blocks` "identity" initialises them randomly, except the last layer of both branches,
    which is zero, so that the model starts out equal to that of 24 layers; "random" initialises all
    of their layers randomly; "copy" copies the last blocks of the source. Any other mismatch is an
    error, unless it is declared as in `initialize`.
    """
    require_image_model(
        source, instead="Use init.target=projects.tokenlearner.pretrained:from_video_model."
    )
    shape = target.flat[KERNEL].shape
    takes = {
        KERNEL: take_kernel(
            KERNEL,
            shape,
            kernel=source.flat.get(KERNEL),
            inflation=kernel,
            resampling=target.resampling,
        )
    }
    if POSITIONS in target.flat:
        takes[POSITIONS] = take_positions(
            POSITIONS,
            grid=_grid(target),
            class_tokens=0,
            image_class_tokens=num_class_tokens(source),
            image_grid=source.token_grid("rgb"),
            resampling=target.resampling,
        )
    return _initialized(
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
    target: ModelWeights,
    source: ModelWeights,
    num_extra_layers: Count = 0,
    extra_blocks: str = "identity",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of the TokenLearnerViViT `target`, from a video model of the same size, and a
    report.

    `source` is a ViViT with joint attention (`SpatioTemporalAttention`), with or without a class
    token, or another TokenLearnerViViT. Positions are resampled from the grid of the source to that
    of the target. Otherwise as in `from_image_model`.
    """
    return _initialized(
        target,
        source,
        takes=_resampled(target, source),
        num_extra_layers=num_extra_layers,
        extra_blocks=extra_blocks,
        allow_random=allow_random,
        allow_unused=allow_unused,
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
        takes={path: Take(path) for path in target.flat} | _resampled(target, source),
        allow_random=allow_random,
        allow_unused=allow_unused,
    )


def _resampled(target: ModelWeights, source: ModelWeights) -> dict[str, Take]:
    """The patch kernel and the positions of another model of images, or of clips."""
    takes, resampling = {}, target.resampling
    if KERNEL in source.flat:
        kernel, shape = source.flat[KERNEL], target.flat[KERNEL].shape
        takes[KERNEL] = take_kernel(KERNEL, shape, kernel=kernel, resampling=resampling)
    known = None not in (target.token_grid("rgb"), source.token_grid("rgb"))
    if POSITIONS not in target.flat or POSITIONS not in source.flat:
        return takes
    if known or target.flat[POSITIONS].shape != source.flat[POSITIONS].shape:
        takes[POSITIONS] = take_resampled_positions(
            POSITIONS,
            old=_grid(source),
            new=_grid(target),
            tokens=(0, num_class_tokens(source)),
            resampling=resampling,
        )
    return takes


def _initialized(
    target: ModelWeights,
    source: ModelWeights,
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
    num_layers = _num_layers(target.flat)
    extra = range(num_layers - num_extra_layers, num_layers)
    if extra_blocks == "identity":
        params = {path: _zero_ends(path, leaf, extra) for path, leaf in target.flat.items()}
        target = dataclasses.replace(target, params=unflatten_dict(params, sep="/"))
    random, unused = [HEAD], [HEAD, "MAPHead_0/.*", "cls(_distillation)?"]
    if not present([TOKEN_MODULES], source.flat):
        random.append(TOKEN_MODULES)
    if extra_blocks != "copy":
        random += [f"Transformer/encoderblock_{layer}/.*" for layer in extra]
    if "pre_logits/kernel" not in target.flat:
        unused.append("pre_logits/.*")
    added = num_layers - _num_layers(source.flat)
    return initialize(
        target=target,
        source=source,
        takes={path: _take(path, extra, added) for path in target.flat} | dict(takes),
        allow_random=[*present(random, target.flat), *allow_random],
        allow_unused=[*unused, *allow_unused],
    )


def _grid(weights: ModelWeights) -> tuple[int, int, int]:
    """Time, rows and columns of the positions."""
    places = weights.flat[POSITIONS].shape[1] - num_class_tokens(weights)
    return grid_of_positions(weights, places, "rgb")


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


def _num_layers(paths: Iterable[str]) -> int:
    return 1 + max(_block_of(path)[0] for path in paths)


def _block_of(path: str) -> tuple[int, str]:
    """The number of a parameter's block (-1 if it is in none) and its path in the block."""
    block = BLOCK.fullmatch(path)
    return (int(block[1]), block[2]) if block else (-1, path)
