"""Starts a multiview transformer from image models, one a view, or from another one."""

import dataclasses
import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from projects.mtv.resampling import Grids, Tables, joined, resampled, view_of
from projects.mtv.views import Views, read_views
from scenic_video.weights.image_models import (
    HEAD,
    TABLE,
    by_times,
    present,
    take_kernel,
    take_positions,
)
from scenic_video.weights.initialize import Params, Report, Take, initialize
from scenic_video.weights.resampling import resample_leading_axes

GLOBAL = "(global_encoder|cls_global).*"
EXCHANGE = (
    r"bottleneck|MultiviewEncoder/bottleneck_linear_.*|MultiviewEncoder/.*/cross_attention_.*"
    r"|MultiviewEncoder/.*/(fusion_ln|MlpBlock_0/fusion)/.*"
)
"""What views exchange information by; no image model has it."""

UNUSED = "((Transformer/)?encoder_norm|pre_logits|MAPHead_0|output_projection)/.*"
"""What views do not take from an image model: they have no LayerNorm at their end, and no head."""

IMAGE_NAMES = (
    (r"MultiviewEncoder/(?:cross_view_)?encoderblock_(\d+)(?:_view\d+)?", r"encoderblock_\1"),
    (r"/msa_ln_view\d+", "/LayerNorm_0"),
    (r"/msa_view\d+", "/MultiHeadDotProductAttention_0"),
    (r"/mlp_ln_view\d+", "/LayerNorm_1"),
    (r"/mlp_view\d+", "/MlpBlock_0"),
    (r"^encoderblock", "Transformer/encoderblock"),
)
"""What in a path of a view is called otherwise in an image model."""


def from_image_models(
    *,
    target: Params,
    source: Params | Sequence[Params],
    views: Views | None = None,
    sources: Sequence[str | Mapping[str, Any]] | None = None,
    grids: Grids | None = None,
    kernel: str = "central_frame",
    allow_fresh: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], Report]:
    """Parameters `target` of an MTV with the values of ViTs, and a report.

    There is a ViT for every view, from the coarsest to the finest; or `sources` names the views
    that have one, as they are written ("B/2"), in the order of `source`, and `views` are the
    model's; the others stay fresh. `grids` are how many tokens a frame of these views has over
    rows and columns (mel bins: 1 row), by default a square. Positions are resampled to them, or
    averaged over rows for sound; the class token is repeated for every time; the kernel follows
    `inflate_kernel` by `kernel`. Is the patch of another size, it is resampled, its values
    unscaled; has the input other channels than three, the kernel takes of equal ones what it would
    of a grey image. Cross-view parts, global encoder and head stay fresh.

    Anything else that does not match is an error, unless declared as in `initialize`; source
    paths start with the view, "view0/Transformer/...".
    """
    models = [source] if isinstance(source, Mapping) else list(source)
    flat_target = flatten_dict(dict(target), sep="/")
    num_views = sum(path.endswith("/pos_embedding") for path in flat_target) - 1  # the global one
    started = list(range(num_views)) if sources is None else _numbers(sources, views, num_views)
    _check_one_each(started, source=models, grids=grids)
    joint = {f"view{view}": model for view, model in zip(started, models, strict=True)}
    fresh = [HEAD, GLOBAL, EXCHANGE]
    fresh += [rf".*view{view}(/.*)?" for view in range(num_views) if view not in started]
    image = _Images(
        target=flat_target,
        source=flatten_dict(joint, sep="/"),
        grids=dict(zip(started, grids, strict=True)) if grids else {},
        kernel=kernel,
    )
    class_token = () if "cls_view0" in flat_target else (r"view\d+/cls",)
    return initialize(
        target=target,
        source=joint,
        takes={path: image.take(path) for path in flat_target if view_of(path) in started},
        allow_fresh=[*present(fresh, flat_target), *allow_fresh],
        allow_unused=[rf"view\d+/{UNUSED}", *class_token, *allow_unused],
    )


def from_multiview_model(
    *,
    target: Params,
    source: Params,
    grids: Grids | None = None,
    source_grids: Grids | None = None,
    allow_fresh: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], Report]:
    """Parameters `target` of an MTV with those of another, `source`, of the same architecture.

    Clips and tubelets may be others: positions are resampled over rows and columns (`grids` and
    `source_grids`, one a view from the coarsest, by default squares), kernels over their extent,
    class tokens, bottlenecks and the positions of the global encoder over time. The head is fresh.
    """
    flat_target = flatten_dict(dict(target), sep="/")
    flat_source = flatten_dict(dict(source), sep="/")
    old, new = Tables(flat_source, source_grids), Tables(flat_target, grids)
    return initialize(
        target=target,
        source=source,
        takes={path: resampled(path, old, new) for path in flat_target},
        allow_fresh=[HEAD, *allow_fresh],
        allow_unused=[HEAD, *allow_unused],
    )


@dataclasses.dataclass(frozen=True)
class _Images:
    """Where the parameters of views come from, in the image models "view0/...", "view1/..."."""

    target: Mapping[str, Any]
    source: Mapping[str, Any]
    grids: Mapping[int, Sequence[int]]
    kernel: str

    def take(self, path: str) -> Take:
        view, leaf = view_of(path), self.target[path]
        if path == f"embedding_view{view}/kernel":
            return self._kernel(view, tuple(leaf.shape))
        if path.startswith("embedding"):
            return Take(f"view{view}/embedding/bias")
        if path == f"cls_view{view}":
            times = leaf.shape[1]
            how = functools.partial(_repeat_class_token, times=times)
            return Take(f"view{view}/cls", how, f"repeat for {times} times")
        if path.endswith("pos_embedding"):
            return self._positions(view)
        for pattern, name in IMAGE_NAMES:
            path = re.sub(pattern, name, path)
        return Take(f"view{view}/{path}")

    def _kernel(self, view: int | None, shape: tuple[int, ...]) -> Take:
        """As `take_kernel`, and patches of another size are resampled."""
        take = take_kernel(f"view{view}/embedding/kernel", shape, inflation=self.kernel)
        patch = self.source[take.path].shape[:2] if take.path in self.source else shape[-4:-2]
        if patch == shape[-4:-2]:
            return take
        name = ", ".join(filter(None, [take.name, f"patches of {by_times(patch)}"]))
        return Take(take.path, lambda image: take(resample_leading_axes(image, shape[-4:-2])), name)

    def _positions(self, view: int | None) -> Take:
        """As `take_positions`; sound, which has one row, takes the mean of an image's rows."""
        rows, columns = Tables(self.target, self.grids).grid(view)
        class_token = f"cls_view{view}" in self.target
        take = take_positions(
            f"view{view}/Transformer/{TABLE}",
            grid=(1, columns if rows == 1 else rows, columns),
            class_token=class_token,
            image_class_token=f"view{view}/cls" in self.source,
        )
        if rows > 1:
            return take

        def mean_of_rows(table: np.ndarray) -> np.ndarray:
            tokens, places = np.split(take(table)[0], [int(class_token)])
            return joined(tokens, places.reshape(columns, columns, -1).mean(axis=0))

        return Take(take.path, mean_of_rows, f"mean of rows, {columns} columns")


def _check_one_each(started: Sequence[int], **given: Sequence[Any] | None) -> None:
    for name, values in given.items():
        if values is not None and len(values) != len(started):
            raise ValueError(
                f"{len(started)} views are to start from image models, but `{name}` has "
                f"{len(values)}. Give one a view, coarse to fine, or name some views in `sources`."
            )


def _repeat_class_token(token: np.ndarray, *, times: int) -> np.ndarray:
    return token[:, None].repeat(times, axis=1)


def _numbers(sources: Sequence[Any], views: Views | None, num_views: int) -> list[int]:
    """The numbers of named views, counted from the coarsest."""
    known = read_views(views) if views is not None else ()
    if len(known) != num_views:
        raise ValueError(
            f"`sources` names views of the model, which has {num_views}; `views`, which should be "
            f"those of the model, has {len(known)}."
        )
    numbers = []
    for name in sources:
        (view,) = read_views(name if isinstance(name, str) else [name])
        if known.count(view) != 1:
            raise ValueError(f"Of the views {views!r}, {known.count(view)} are {name!r}, not one.")
        numbers.append(known.index(view))
    return numbers
