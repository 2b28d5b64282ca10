"""Starts a ViViT from an image model or from another ViViT (section 3.4)."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from flax.traverse_util import flatten_dict

from scenic_video.errors import UserError
from scenic_video.field_types import Extents
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

TEMPORAL = r"(cls_)?TemporalTransformer.*"
TIME_ATTENTION = r".*(LayerNorm|MultiHeadDotProductAttention)_time/.*"

JOINT_NAMES = (
    ("LayerNorm_(space|time)", "LayerNorm_0"),
    ("MultiHeadDotProductAttention_(space|time)", "MultiHeadDotProductAttention_0"),
    ("LayerNorm_mlp", "LayerNorm_1"),
    ("MlpBlock(?!_)", "MlpBlock_0"),
)
"""The parts of paths in factorised self-attention that have other names in joint attention."""

IMAGE_NAMES = (("SpatialTransformer", "Transformer"), *JOINT_NAMES)
"""The parts of paths in a ViViT that have other names in an image model."""


def from_image_model(
    *,
    target: Params,
    source: Params,
    grid: Extents,
    source_grid: Extents | None = None,
    source_inputs: Mapping[str, Sequence[int]] | None = None,
    kernel: str = "central_frame",
    time_attention: str = "random",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters `target` of a ViViT, initialised from a ViT `source`, and a report.

    `grid` is the number of tokens of the clip over time, rows and columns, and `source_grid` that
    of the image over rows and columns. If it is not given, it follows from `source_inputs`, the
    input size of the image model, {"rgb": (frames, rows, columns)}. Positions are resampled and
    repeated over time (see `take_positions`); the kernel is inflated by `inflate_kernel` with the
    method `kernel`. The temporal transformer of a factorised encoder is randomly initialised. In
    factorised self-attention, attention over space is loaded; attention over time is "random" or a
    "copy" of it, as `time_attention` says. The head is randomly initialised; the image's class
    token is dropped if the clip has none. Any other mismatch is an error, unless it is declared as
    in `initialize`.

    Its many parameters are the fields of the config node `init`.
    """
    _check_time_attention(time_attention)
    flat_target = flatten_dict(dict(target), sep="/")
    flat_source = flatten_dict(dict(source), sep="/")
    random = [HEAD, TEMPORAL] + ([TIME_ATTENTION] if time_attention == "random" else [])
    unused = [HEAD, "MAPHead_0/.*"]
    unused += ["cls"] if not _class_tokens(flat_target) else []
    unused += ["pre_logits/.*"] if "pre_logits/kernel" not in flat_target else []
    patches = flat_source.get("embedding/kernel")
    require_image_model(
        patches, instead="Use init.target=projects.vivit.pretrained:from_video_model."
    )
    image_grid = source_grid or token_grid(patches, (source_inputs or {}).get("rgb"))
    grids = {"grid": tuple(grid), "image_grid": image_grid}
    takes = {
        path: _from_image(path, leaf, flat_source, kernel=kernel, **grids)
        for path, leaf in flat_target.items()
    }
    return initialize(
        target=target,
        source=source,
        takes=takes,
        allow_random=[*present(random, flat_target), *allow_random],
        allow_unused=[*unused, *allow_unused],
    )


def from_video_model(
    *,
    target: Params,
    source: Params,
    grid: Extents,
    source_grid: Extents,
    time_attention: str = "random",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters `target` of a ViViT, initialised from a ViViT of the same architecture, or
    factorised self-attention from joint attention.

    Both grids count tokens over time, rows and columns; positions are resampled from one to the
    other. Attention over time, which joint attention lacks, follows `time_attention` as in
    `from_image_model`. The head is randomly initialised.
    """
    _check_time_attention(time_attention)
    flat_target = flatten_dict(dict(target), sep="/")
    flat_source = flatten_dict(dict(source), sep="/")
    factorises = not present([TIME_ATTENTION], flat_source)
    names = JOINT_NAMES if factorises else ()
    takes = {path: Take(_renamed(path, names)) for path in flat_target}
    random = [HEAD] + ([TIME_ATTENTION] if factorises and time_attention == "random" else [])
    axes = {
        f"Transformer/{TABLE}": slice(0, 3),
        f"SpatialTransformer/{TABLE}": slice(1, 3),
        f"TemporalTransformer/{TABLE}": slice(0, 1),
    }
    for path in axes.keys() & flat_target.keys() & flat_source.keys():
        old, new = tuple(source_grid)[axes[path]], tuple(grid)[axes[path]]
        takes[path] = take_resampled_positions(path, old=old, new=new)
    return initialize(
        target=target,
        source=source,
        takes=takes,
        allow_random=[*present(random, flat_target), *allow_random],
        allow_unused=[HEAD, *allow_unused],
    )


def _check_time_attention(time_attention: str) -> None:
    if time_attention not in ("random", "copy"):
        raise UserError(f"time_attention must be 'random' or 'copy'; got {time_attention!r}.")


def _from_image(
    path: str, leaf: Any, source: Mapping[str, Any], *, kernel: str, **grids: Any
) -> Take:
    """Where a parameter comes from in an image model."""
    if path == "embedding/kernel" and leaf.ndim == 5:
        return take_kernel(path, leaf.shape, inflation=kernel)
    if path == "cls_SpatialTransformer":
        return Take("cls")
    if path.endswith(TABLE):
        return _image_positions(path, leaf, source, **grids)
    return Take(_renamed(path, IMAGE_NAMES))


def _renamed(path: str, names: Sequence[tuple[str, str]]) -> str:
    for pattern, name in names:
        path = re.sub(pattern, name, path)
    return path


def _image_positions(
    path: str,
    leaf: Any,
    source: Mapping[str, Any],
    *,
    grid: tuple[int, ...],
    image_grid: Sequence[int] | None,
) -> Take:
    """The image's positions for a clip: [1, (1 +) t h w, d], or [1, (1 +) h w, d] if frames are
    encoded one by one."""
    if path.startswith("SpatialTransformer"):
        grid = (1, *grid[1:])
    return take_positions(
        f"Transformer/{TABLE}",
        grid=grid,
        class_token=leaf.shape[1] == math.prod(grid) + 1,
        image_class_token="cls" in source,
        image_grid=image_grid,
        table=leaf,
    )


def _class_tokens(target: Mapping[str, Any]) -> bool:
    return "cls" in target or "cls_SpatialTransformer" in target
