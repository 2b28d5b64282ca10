"""Starts a multiview transformer from image models, one a view, or from another one."""

import dataclasses
import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from projects.mtv.resampling import Grids, Tables, joined, resampled, view_of
from projects.mtv.views import Views, read_views
from scenic_video.errors import UserError
from scenic_video.weights.image_models import (
    HEAD,
    TABLE,
    by_times,
    present,
    require_image_model,
    take_kernel,
    take_positions,
    token_grid,
)
from scenic_video.weights.initialize import Params, Report, Take, initialize
from scenic_video.weights.resampling import resample_leading_axes

GLOBAL = "(global_encoder|cls_global).*"
EXCHANGE = (
    r"bottleneck|MultiviewEncoder/bottleneck_linear_.*|MultiviewEncoder/.*/cross_attention_.*"
    r"|MultiviewEncoder/.*/(fusion_ln|MlpBlock_0/fusion)/.*"
)
"""What views exchange information by; no image model has it."""

Inputs = Mapping[str, Sequence[int]]
"""The size of what a model sees, {"rgb": (frames, rows, columns)}."""

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
    source_grids: Grids | None = None,
    inputs: Inputs | None = None,
    source_inputs: Inputs | Sequence[Inputs] | None = None,
    kernel: str = "central_frame",
    allow_fresh: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], Report]:
    """Parameters `target` of an MTV with the values of ViTs, and a report.

    There is a ViT for every view, from the coarsest to the finest; or `sources` names the views
    that have one, as they are written ("B/2"), in the order of `source`, and `views` are the
    model's; the others stay fresh. `grids` are how many tokens a frame of these views has over
    rows and columns (mel bins: 1 row), `source_grids` those of their images; where they are not
    given, `inputs` and `source_inputs` may tell, the sizes of what this model and each of the
    others sees, {"rgb": (frames, rows, columns)}. Positions are resampled as `take_positions` says,
    or averaged over rows for audio; the class token is repeated for every time; the kernel follows
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
    seen = [source_inputs] if isinstance(source_inputs, Mapping) else source_inputs
    given = {"grids": grids, "source_grids": source_grids, "source_inputs": seen}
    _check_one_each(started, source=models, **given)
    joint = {f"view{view}": model for view, model in zip(started, models, strict=True)}
    fresh = [HEAD, GLOBAL, EXCHANGE]
    fresh += [rf".*view{view}(/.*)?" for view in range(num_views) if view not in started]
    image = _Images(
        target=Tables(flat_target, dict(zip(started, grids, strict=True)) if grids else {}, inputs),
        source=flatten_dict(joint, sep="/"),
        grids=dict(zip(started, source_grids or [None] * len(started), strict=True)),
        inputs=dict(zip(started, seen or [{}] * len(started), strict=True)),
        kernel=kernel,
    )
    image.check()
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
    inputs: Inputs | None = None,
    source_inputs: Inputs | None = None,
    allow_fresh: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], Report]:
    """Parameters `target` of an MTV with those of another, `source`, of the same architecture.

    Clips and tubelets may be others: positions are resampled over rows and columns, kernels over
    their extent, class tokens, bottlenecks and the positions of the global encoder over time. Rows
    and columns are those of `grids` and `source_grids`, one a view from the coarsest, or those of
    `inputs` and `source_inputs`, the sizes {"rgb": (frames, rows, columns)} that the two models
    see. The head is fresh.
    """
    flat_target = flatten_dict(dict(target), sep="/")
    flat_source = flatten_dict(dict(source), sep="/")
    old = Tables(flat_source, source_grids, source_inputs)
    new = Tables(flat_target, grids, inputs)
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

    target: Tables
    source: Mapping[str, Any]
    grids: Mapping[int, Sequence[int] | None]
    inputs: Mapping[int, Inputs]
    kernel: str

    def check(self) -> None:
        """A ValueError if a source is a model of videos."""
        for view in self.grids:
            require_image_model(
                self.source.get(f"view{view}/embedding/kernel"),
                instead=f"View {view} starts from a ViT, and a whole MTV by from_multiview_model.",
            )

    def take(self, path: str) -> Take:
        view, leaf = view_of(path), self.target.params[path]
        assert view is not None
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

    def _kernel(self, view: int, shape: tuple[int, ...]) -> Take:
        """As `take_kernel`, and patches of another size are resampled."""
        take = take_kernel(f"view{view}/embedding/kernel", shape, inflation=self.kernel)
        patch = self.source[take.path].shape[:2] if take.path in self.source else shape[-4:-2]
        if patch == shape[-4:-2]:
            return take
        name = ", ".join(filter(None, [take.name, f"patches of {by_times(patch)}"]))
        return Take(take.path, lambda image: take(resample_leading_axes(image, shape[-4:-2])), name)

    def _positions(self, view: int) -> Take:
        """As `take_positions`; audio, which has one row, takes the mean of an image's rows."""
        path, image_grid = f"view{view}/Transformer/{TABLE}", self._image_grid(view)
        rows, columns = self.target.grid(view) or image_grid or (1, self.target.num_places(view))
        if rows * columns != self.target.num_places(view):
            raise UserError(
                f"View {view} has {self.target.num_places(view)} positions a frame, its image "
                f"model {by_times((rows, columns))}; over which rows and columns the former lie is "
                "not known. State init.grids, the rows and columns of every view."
            )
        class_token = f"cls_view{view}" in self.target.params
        averages = rows == 1 and image_grid is not None and image_grid[0] > 1
        take = take_positions(
            path,
            grid=(1, columns if averages else rows, columns),
            class_token=class_token,
            image_class_token=f"view{view}/cls" in self.source,
            image_grid=image_grid,
        )
        if not averages:
            return take
        how = functools.partial(_mean_of_rows, take=take, num_tokens=int(class_token))
        return Take(path, how, f"{take.name}, the mean of its rows")

    def _image_grid(self, view: int) -> tuple[int, ...] | None:
        """Rows and columns of the positions of a view's image model; None if not known."""
        if (stated := self.grids[view]) is not None:
            return tuple(stated)
        kernel = self.source.get(f"view{view}/embedding/kernel")
        return token_grid(kernel, self.inputs[view].get("rgb"))


def _mean_of_rows(table: np.ndarray, *, take: Take, num_tokens: int) -> np.ndarray:
    tokens, places = np.split(take(table)[0], [num_tokens])
    side = math.isqrt(len(places))  # audio's columns, to which the rows were resampled too
    return joined(tokens, places.reshape(side, side, -1).mean(axis=0))


def _check_one_each(started: Sequence[int], **given: Sequence[Any] | None) -> None:
    for name, values in given.items():
        if values is not None and len(values) != len(started):
            raise UserError(
                f"{len(started)} views are to start from image models, but `{name}` has "
                f"{len(values)}. Give one a view, coarse to fine, or name some views in `sources`."
            )


def _repeat_class_token(token: np.ndarray, *, times: int) -> np.ndarray:
    return token[:, None].repeat(times, axis=1)


def _numbers(sources: Sequence[Any], views: Views | None, num_views: int) -> list[int]:
    """The numbers of named views, counted from the coarsest."""
    known = read_views(views) if views is not None else ()
    if len(known) != num_views:
        raise UserError(
            f"`sources` names views of the model, which has {num_views}; `views`, which should be "
            f"those of the model, has {len(known)}."
        )
    numbers = []
    for name in sources:
        (view,) = read_views(name if isinstance(name, str) else [name])
        if known.count(view) != 1:
            raise UserError(f"Of the views {views!r}, {known.count(view)} are {name!r}, not one.")
        numbers.append(known.index(view))
    return numbers
