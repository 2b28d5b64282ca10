"""Starts a multiview transformer from image models, one per view, or from another MTV."""

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
from scenic_video.weights.initialize import LoadReport, Params, Take, initialize
from scenic_video.weights.resampling import resample_leading_axes

GLOBAL = "(global_encoder|cls_global).*"
EXCHANGE = (
    r"bottleneck|MultiviewEncoder/bottleneck_linear_.*|MultiviewEncoder/.*/cross_attention_.*"
    r"|MultiviewEncoder/.*/(fusion_ln|MlpBlock_0/fusion)/.*"
)
"""The layers through which views exchange information; no image model has them."""

Inputs = Mapping[str, Sequence[int]]
"""The sizes of a model's inputs, {"rgb": (frames, rows, columns)}."""

UNUSED = "((Transformer/)?encoder_norm|pre_logits|MAPHead_0|output_projection)/.*"
"""The parts of an image model that views lack: the last LayerNorm and the head."""

IMAGE_NAMES = (
    (r"MultiviewEncoder/(?:cross_view_)?encoderblock_(\d+)(?:_view\d+)?", r"encoderblock_\1"),
    (r"/msa_ln_view\d+", "/LayerNorm_0"),
    (r"/msa_view\d+", "/MultiHeadDotProductAttention_0"),
    (r"/mlp_ln_view\d+", "/LayerNorm_1"),
    (r"/mlp_view\d+", "/MlpBlock_0"),
    (r"^encoderblock", "Transformer/encoderblock"),
)
"""The parts of a view's paths that have other names in an image model."""


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
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters `target` of an MTV, initialised from ViTs, and a report.

    `source` holds one ViT per view, from the coarsest to the finest. Alternatively `sources` lists
    the views that have one, as they are written ("B/2") and in the order of `source`, with the
    model's `views`; the other views are randomly initialised. `grids` is the number of tokens of a
    frame over rows and columns for each of these views (1 row of mel bins for audio), and
    `source_grids` that of their images. If not given, they follow from the input sizes `inputs` and
    `source_inputs` of this model and each of the others, {"rgb": (frames, rows, columns)}.

    Positions are resampled (see `take_positions`), and for audio averaged over rows. The class
    token is repeated for each time step. Kernels are inflated by `inflate_kernel` with the method
    `kernel`; patches of another size are resampled without scaling their values; for another number
    of channels, equal channels give the tokens of a grey image. Cross-view layers, the global
    encoder and the head are randomly initialised.

    Any other mismatch is an error, unless it is declared as in `initialize`; source paths start
    with the view, "view0/Transformer/...".

    Its many parameters are the fields of the config node `init`.
    """
    models = [source] if isinstance(source, Mapping) else list(source)
    flat_target = flatten_dict(dict(target), sep="/")
    num_views = sum(path.endswith("/pos_embedding") for path in flat_target) - 1  # the global one
    started = list(range(num_views)) if sources is None else _numbers(sources, views, num_views)
    seen = [source_inputs] if isinstance(source_inputs, Mapping) else source_inputs
    given = {"grids": grids, "source_grids": source_grids, "source_inputs": seen}
    _check_one_each(started, source=models, **given)
    joint = {f"view{view}": model for view, model in zip(started, models, strict=True)}
    random = [HEAD, GLOBAL, EXCHANGE]
    random += [rf".*view{view}(/.*)?" for view in range(num_views) if view not in started]
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
        allow_random=[*present(random, flat_target), *allow_random],
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
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters `target` of an MTV, initialised from another MTV of the same architecture.

    The sizes of clips and tubelets may differ: positions are resampled over rows and columns,
    kernels over their extent; class tokens, bottlenecks and the positions of the global encoder
    over time. Rows and columns are given by `grids` and `source_grids`, one per view from the
    coarsest, or by the input sizes `inputs` and `source_inputs` of the two models, {"rgb": (frames,
    rows, columns)}. The head is randomly initialised.

    Its many parameters are the fields of the config node `init`.
    """
    flat_target = flatten_dict(dict(target), sep="/")
    flat_source = flatten_dict(dict(source), sep="/")
    old = Tables(flat_source, source_grids, source_inputs)
    new = Tables(flat_target, grids, inputs)
    return initialize(
        target=target,
        source=source,
        takes={path: resampled(path, old, new) for path in flat_target},
        allow_random=[HEAD, *allow_random],
        allow_unused=[HEAD, *allow_unused],
    )


@dataclasses.dataclass(frozen=True)
class _Images:
    """Where parameters of views come from in the image models "view0/...", "view1/..."."""

    target: Tables
    source: Mapping[str, Any]
    grids: Mapping[int, Sequence[int] | None]
    inputs: Mapping[int, Inputs]
    kernel: str

    def check(self) -> None:
        """Errors: UserError if a source is a video model."""
        for view in self.grids:
            require_image_model(
                self.source.get(f"view{view}/embedding/kernel"),
                instead=f"Start view {view} from a ViT, or all of MTV with from_multiview_model.",
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
        """As `take_kernel`, but patches of another size are resampled."""
        take = take_kernel(f"view{view}/embedding/kernel", shape, inflation=self.kernel)
        patch = self.source[take.path].shape[:2] if take.path in self.source else shape[-4:-2]
        if patch == shape[-4:-2]:
            return take
        name = ", ".join(filter(None, [take.name, f"patches of {by_times(patch)}"]))
        return Take(take.path, lambda image: take(resample_leading_axes(image, shape[-4:-2])), name)

    def _positions(self, view: int) -> Take:
        """As `take_positions`; audio has one row, the mean over an image's rows."""
        path, image_grid = f"view{view}/Transformer/{TABLE}", self._image_grid(view)
        rows, columns = self.target.grid(view) or image_grid or (1, self.target.num_places(view))
        if rows * columns != self.target.num_places(view):
            raise UserError(
                f"View {view} has {self.target.num_places(view)} positions per frame and its image "
                f"model {by_times((rows, columns))}, but the rows and columns of the view are "
                "unknown. Set init.grids, the rows and columns of each view."
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
        return Take(path, how, f"{take.name}, mean over rows")

    def _image_grid(self, view: int) -> tuple[int, ...] | None:
        """Rows and columns of the positions of a view's image model; None if unknown."""
        if (stated := self.grids[view]) is not None:
            return tuple(stated)
        kernel = self.source.get(f"view{view}/embedding/kernel")
        return token_grid(kernel, self.inputs[view].get("rgb"))


def _mean_of_rows(table: np.ndarray, *, take: Take, num_tokens: int) -> np.ndarray:
    tokens, places = np.split(take(table)[0], [num_tokens])
    side = math.isqrt(len(places))  # the columns of audio; the rows were resampled to as many
    return joined(tokens, places.reshape(side, side, -1).mean(axis=0))


def _check_one_each(started: Sequence[int], **given: Sequence[Any] | None) -> None:
    for name, values in given.items():
        if values is not None and len(values) != len(started):
            raise UserError(
                f"{len(started)} views start from image models, but `{name}` has {len(values)} "
                "entries. Give one per view, coarse to fine, or list some views in `sources`."
            )


def _repeat_class_token(token: np.ndarray, *, times: int) -> np.ndarray:
    return token[:, None].repeat(times, axis=1)


def _numbers(sources: Sequence[Any], views: Views | None, num_views: int) -> list[int]:
    """The numbers of the named views, counted from the coarsest."""
    known = read_views(views) if views is not None else ()
    if len(known) != num_views:
        raise UserError(
            f"`views` must be the {num_views} views of the model, so that `sources` can name some; "
            f"got {len(known)}."
        )
    numbers = []
    for name in sources:
        (view,) = read_views(name if isinstance(name, str) else [name])
        if known.count(view) != 1:
            raise UserError(f"{known.count(view)} of the views {views!r} are {name!r}, not one.")
        numbers.append(known.index(view))
    return numbers
