"""Starts a ViViT from an image model or from another ViViT (section 3.4)."""

import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from scenic_video.layers.embeddings import inflate_kernel
from scenic_video.weights.initialize import Params, Report, Take, initialize
from scenic_video.weights.resampling import resample

HEAD = "output_projection/.*"
TABLE = "posembed_input/pos_embedding"
TEMPORAL = r"(cls_)?TemporalTransformer.*"
TIME_ATTENTION = r".*(LayerNorm|MultiHeadDotProductAttention)_time/.*"

IMAGE_NAMES = (
    ("SpatialTransformer", "Transformer"),
    ("LayerNorm_(space|time)", "LayerNorm_0"),
    ("MultiHeadDotProductAttention_(space|time)", "MultiHeadDotProductAttention_0"),
    ("LayerNorm_mlp", "LayerNorm_1"),
    ("MlpBlock(?!_)", "MlpBlock_0"),
)
"""What in a path of a ViViT is called otherwise in an image model."""


def from_image_model(
    *,
    target: Params,
    source: Params,
    grid: Sequence[int],
    kernel: str = "central_frame",
    time_attention: str = "fresh",
    allow_fresh: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], Report]:
    """Parameters `target` of a ViViT with the values of a ViT's, `source`, and a report.

    `grid` is how many tokens the clip has over time, rows and columns. Positions are resampled to
    rows x columns if the image had others (square), and repeated for every time; the tubelet
    kernel follows `inflate_kernel` by `kernel`. The temporal transformer of a factorised encoder
    stays fresh. In factorised self-attention the attention over space takes the image's, that
    over time too with `time_attention` "copy"; "fresh" keeps what the model drew. The head is
    fresh; a class token of the image is dropped where the clip has none. Anything else that does
    not match is an error, unless it is declared as in `initialize`.
    """
    if time_attention not in ("fresh", "copy"):
        raise ValueError(f"time_attention is 'fresh' or 'copy'; got {time_attention!r}.")
    flat_target = flatten_dict(dict(target), sep="/")
    flat_source = flatten_dict(dict(source), sep="/")
    fresh = [HEAD, TEMPORAL] + ([TIME_ATTENTION] if time_attention == "fresh" else [])
    unused = [HEAD, "MAPHead_0/.*"]
    unused += ["cls"] if not _class_tokens(flat_target) else []
    unused += ["pre_logits/.*"] if "pre_logits/kernel" not in flat_target else []
    takes = {
        path: _from_image(path, leaf, flat_source, grid=tuple(grid), kernel=kernel)
        for path, leaf in flat_target.items()
    }
    return initialize(
        target=target,
        source=source,
        takes=takes,
        allow_fresh=[*_present(fresh, flat_target), *allow_fresh],
        allow_unused=[*unused, *allow_unused],
    )


def from_video_model(
    *,
    target: Params,
    source: Params,
    grid: Sequence[int],
    source_grid: Sequence[int],
    allow_fresh: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], Report]:
    """Parameters `target` of a ViViT with those of another, `source`, of the same architecture.

    Both grids are tokens over time, rows and columns; positions are resampled from one to the
    other. The head is fresh.
    """
    flat_target = flatten_dict(dict(target), sep="/")
    flat_source = flatten_dict(dict(source), sep="/")
    takes = {path: Take(path) for path in flat_target}
    axes = {
        f"Transformer/{TABLE}": slice(0, 3),
        f"SpatialTransformer/{TABLE}": slice(1, 3),
        f"TemporalTransformer/{TABLE}": slice(0, 1),
    }
    for path in axes.keys() & flat_target.keys() & flat_source.keys():
        old, new = tuple(source_grid)[axes[path]], tuple(grid)[axes[path]]
        if old != new:
            transform = functools.partial(_resample_table, old=old, new=new)
            takes[path] = Take(path, transform, f"resample {_times(old)} to {_times(new)}")
    return initialize(
        target=target,
        source=source,
        takes=takes,
        allow_fresh=[HEAD, *allow_fresh],
        allow_unused=[HEAD, *allow_unused],
    )


def _from_image(
    path: str, leaf: Any, source: Mapping[str, Any], *, grid: tuple[int, ...], kernel: str
) -> Take:
    """What a parameter takes from an image model."""
    if path == "embedding/kernel" and leaf.ndim == 5:
        inflate = functools.partial(inflate_kernel, num_frames=leaf.shape[0], method=kernel)
        return Take(path, inflate, f"{kernel} of {leaf.shape[0]}")
    if path == "cls_SpatialTransformer":
        return Take("cls")
    if path.endswith(TABLE):
        return _image_positions(path, leaf, source, grid)
    for pattern, name in IMAGE_NAMES:
        path = re.sub(pattern, name, path)
    return Take(path)


def _image_positions(
    path: str, leaf: Any, source: Mapping[str, Any], grid: tuple[int, ...]
) -> Take:
    """The image's positions, over the frames of a clip: [1, (1 +) t h w, d], or [1, (1 +) h w, d]
    where frames are encoded one by one."""
    times, *size = (1, *grid[1:]) if path.startswith("SpatialTransformer") else grid
    has_token = leaf.shape[1] == times * math.prod(size) + 1
    image_has_token = "cls" in source

    def spread(table: np.ndarray) -> np.ndarray:
        tokens, places = np.split(table[0], [int(image_has_token)])
        side = math.isqrt(len(places))
        if side**2 != len(places):
            raise ValueError(f"The image model has {len(places)} positions, which is no square.")
        places = resample(places.reshape(side, side, -1), size).reshape(-1, table.shape[-1])
        places = np.tile(places, (times, 1))
        return np.concatenate([tokens, places] if has_token else [places])[None]

    return Take(f"Transformer/{TABLE}", spread, f"positions of {_times((times, *size))}")


def _resample_table(table: np.ndarray, *, old: tuple[int, ...], new: tuple[int, ...]) -> np.ndarray:
    num_tokens = table.shape[1] - math.prod(old)
    if num_tokens not in (0, 1):
        raise ValueError(f"A table of {table.shape[1]} positions is not one over {_times(old)}.")
    tokens, places = np.split(table[0], [num_tokens])
    places = resample(places.reshape(*old, -1), new).reshape(-1, table.shape[-1])
    return np.concatenate([tokens, places])[None]


def _class_tokens(target: Mapping[str, Any]) -> bool:
    return "cls" in target or "cls_SpatialTransformer" in target


def _present(patterns: Sequence[str], target: Mapping[str, Any]) -> list[str]:
    return [p for p in patterns if any(re.fullmatch(p, path) for path in target)]


def _times(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))
