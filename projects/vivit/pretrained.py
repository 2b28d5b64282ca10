"""Initialises a ViViT from an image model or from another ViViT (section 3.4)."""

import re
from collections.abc import Sequence
from typing import Any

from scenic_video.errors import UserError
from scenic_video.weights.image_models import (
    HEAD,
    TABLE,
    grid_of_positions,
    present,
    require_image_model,
    take_kernel,
    take_positions,
    take_resampled_positions,
)
from scenic_video.weights.initialize import Take, initialize
from scenic_video.weights.load_report import LoadReport
from scenic_video.weights.model_weights import ModelWeights

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
    target: ModelWeights,
    source: ModelWeights,
    kernel: str = "central_frame",
    time_attention: str = "random",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of the ViViT `target`, initialised from the ViT `source`, and a report.

    Positions are resampled from the grid of the image to that of a frame, and repeated over time
    (see `take_positions`); the kernel is inflated by `inflate_kernel` with the method `kernel`. The
    temporal transformer of a factorised encoder is randomly initialised. In factorised
    self-attention, attention over space is loaded; attention over time is "random" or a "copy" of
    it, by `time_attention`. The head is randomly initialised; the image's class token is dropped if
    the ViViT has none. Any other mismatch is an error, unless it is declared as in `initialize`.
    """
    _check_time_attention(time_attention)
    require_image_model(
        source, instead="Use init.target=projects.vivit.pretrained:from_video_model."
    )
    random = [HEAD, TEMPORAL] + ([TIME_ATTENTION] if time_attention == "random" else [])
    unused = [HEAD, "MAPHead_0/.*"]
    unused += [] if {"cls", "cls_SpatialTransformer"} & target.flat.keys() else ["cls"]
    unused += ["pre_logits/.*"] if "pre_logits/kernel" not in target.flat else []
    return initialize(
        target=target,
        source=source,
        takes={path: _from_image(path, target, source, kernel=kernel) for path in target.flat},
        allow_random=[*present(random, target.flat), *allow_random],
        allow_unused=[*unused, *allow_unused],
    )


def from_video_model(
    *,
    target: ModelWeights,
    source: ModelWeights,
    time_attention: str = "random",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of the ViViT `target`, initialised from a ViViT of the same architecture, or
    factorised self-attention from joint attention, and a report.

    Positions are resampled from the grid of the source to that of the target. Attention over time,
    which joint attention lacks, follows `time_attention` as in `from_image_model`. The head is
    randomly initialised.
    """
    _check_time_attention(time_attention)
    factorises = not present([TIME_ATTENTION], source.flat)
    names = JOINT_NAMES if factorises else ()
    takes = {path: Take(_renamed(path, names)) for path in target.flat}
    random = [HEAD] + ([TIME_ATTENTION] if factorises and time_attention == "random" else [])
    for path in target.flat.keys() & source.flat.keys():
        if path.endswith(TABLE):
            old, new = _grid(path, source), _grid(path, target)
            takes[path] = take_resampled_positions(path, old=old, new=new)
    return initialize(
        target=target,
        source=source,
        takes=takes,
        allow_random=[*present(random, target.flat), *allow_random],
        allow_unused=[HEAD, *allow_unused],
    )


def _check_time_attention(time_attention: str) -> None:
    if time_attention not in ("random", "copy"):
        raise UserError(f"time_attention must be 'random' or 'copy'; got {time_attention!r}.")


def _from_image(path: str, target: ModelWeights, source: ModelWeights, *, kernel: str) -> Take:
    """Where a parameter comes from in an image model."""
    shape = target.flat[path].shape
    if path == "embedding/kernel" and len(shape) == 5:
        return take_kernel(path, shape, inflation=kernel)
    if path == "cls_SpatialTransformer":
        return Take("cls")
    if path.endswith(TABLE) and not path.startswith("Temporal"):
        return _image_positions(path, target, source)
    return Take(_renamed(path, IMAGE_NAMES))


def _renamed(path: str, names: Sequence[tuple[str, str]]) -> str:
    for pattern, name in names:
        path = re.sub(pattern, name, path)
    return path


def _image_positions(path: str, target: ModelWeights, source: ModelWeights) -> Take:
    """The image's positions for a clip: [1, (1 +) t h w, d], or [1, (1 +) h w, d] if frames are
    encoded one by one."""
    class_token = _has_class_token(path, target)
    return take_positions(
        f"Transformer/{TABLE}",
        grid=grid_of_positions(target, target.flat[path].shape[1] - class_token, "rgb"),
        class_token=class_token,
        image_class_token="cls" in source.flat,
        image_grid=source.token_grid("rgb"),
        table=target.flat[path],
    )


def _grid(path: str, weights: ModelWeights) -> tuple[int, ...]:
    """The grid of a table of positions: of a clip, of a frame, or over time."""
    places = weights.flat[path].shape[1] - _has_class_token(path, weights)
    if path.startswith("Temporal"):
        return (places,)
    grid = grid_of_positions(weights, places, "rgb")
    return grid[1:] if path.startswith("Spatial") else grid


def _has_class_token(path: str, weights: ModelWeights) -> bool:
    """Whether a table of positions begins with that of a class token."""
    encoder = path.partition("/")[0]
    return ("cls" if encoder == "Transformer" else f"cls_{encoder}") in weights.flat
