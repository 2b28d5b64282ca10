"""Initialises a multiview transformer from image models, one per view, or from another MTV."""

from collections.abc import Mapping, Sequence
from typing import Any

from projects.mtv.image_views import ImageView
from projects.mtv.resampling import Tables, resampled, view_of
from projects.mtv.views import Views, read_views
from scenic_video.errors import UserError
from scenic_video.weights.image_models import HEAD, present
from scenic_video.weights.initialize import initialize
from scenic_video.weights.load_report import LoadReport
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.starts import Start, has_same_parameters, start_by

GLOBAL = "(global_encoder|cls_global).*"
EXCHANGE = (
    r"bottleneck|MultiviewEncoder/bottleneck_linear_.*|MultiviewEncoder/.*/cross_attention_.*"
    r"|MultiviewEncoder/.*/(fusion_ln|MlpBlock_0/fusion)/.*"
)
"""The layers through which views exchange information; no image model has them."""

UNUSED = "((Transformer/)?encoder_norm|pre_logits|MAPHead_0|output_projection)/.*"
"""The parts of an image model that views lack: the last LayerNorm and the head."""


def start(
    *,
    target: ModelWeights,
    source: ModelWeights | Sequence[ModelWeights],
    views: Views | None = None,
    sources: Sequence[str | Mapping[str, Any]] | None = None,
    kernel: str = "central_frame",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> Start:
    """By `from_same_model` if the source has the same parameters, by `from_multiview_model` if it
    is another MTV, else by `from_image_models`, whose fields these are. Image models of different
    widths may be in any order."""
    common: dict[str, Any] = {"target": target, "source": source}
    common |= {"allow_random": allow_random, "allow_unused": allow_unused}
    if not isinstance(source, ModelWeights) or not present(["MultiviewEncoder/.*"], source.flat):
        common |= {"views": views, "sources": sources, "kernel": kernel}
        why = "the source is no multiview transformer"
        if not isinstance(source, ModelWeights) and sources is None:
            common["source"] = _in_order_of_views(target, source)
            names = ", ".join(image.name for image in common["source"])
            why = f"the sources are no multiview transformers; they are of the views 0 up: {names}"
        return start_by(from_image_models, because=why, **common)
    if has_same_parameters(target, source):
        why = "the source has the same parameters"
        return start_by(from_same_model, because=why, **common)
    why = "the source is a multiview transformer"
    return start_by(from_multiview_model, because=why, **common)


def from_image_models(
    *,
    target: ModelWeights,
    source: ModelWeights | Sequence[ModelWeights],
    views: Views | None = None,
    sources: Sequence[str | Mapping[str, Any]] | None = None,
    kernel: str = "central_frame",
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of the MTV `target`, initialised from ViTs, and a report.

    `source` holds one ViT per view, from the coarsest to the finest. Alternatively `sources` lists
    the views that have one, as they are written ("B/2") and in the order of `source`, with the
    model's `views`; the other views are randomly initialised.

    Positions are resampled (see `take_positions`), and for audio averaged over rows. The class
    token is repeated for each time step. Kernels are inflated by `inflate_kernel` with the method
    `kernel`; those of other patches follow `Resampling`, and for another number of channels, equal
    channels give the tokens of a grey image. A class token that an image model lacks is as in a new
    model, with zeros in the table of positions. Cross-view layers, the global
    encoder and the head are randomly initialised.

    Any other mismatch is an error, unless it is declared as in `initialize`; source paths start
    with the view, "view0/Transformer/...".
    """
    images = [source] if isinstance(source, ModelWeights) else list(source)
    num_views = sum(path.endswith("/pos_embedding") for path in target.flat) - 1  # the global one
    started = list(range(num_views)) if sources is None else _numbers(sources, views, num_views)
    if len(images) != len(started):
        raise UserError(
            f"{len(started)} views start from image models, but init.workdir has {len(images)}. "
            "Give one per view, coarse to fine, or list some views in init.sources."
        )
    parts = {
        view: ImageView(view, target, image, kernel)
        for view, image in zip(started, images, strict=True)
    }
    random = [HEAD, GLOBAL, EXCHANGE]
    random += [rf".*view{view}(/.*)?" for view in range(num_views) if view not in started]
    random += [f"cls_view{view}" for view, x in parts.items() if "cls" not in x.image.flat]
    tokens = [r"view\d+/cls_distillation"]
    tokens += [] if "cls_view0" in target.flat else [r"view\d+/cls"]
    return initialize(
        target=target,
        source=_joint(parts),
        takes={
            path: parts[view].take(path)
            for path in target.flat
            if (view := view_of(path)) in started and view is not None
        },
        allow_random=[*present(random, target.flat), *allow_random],
        allow_unused=[rf"view\d+/{UNUSED}", *tokens, *allow_unused],
    )


def from_multiview_model(
    *,
    target: ModelWeights,
    source: ModelWeights,
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of the MTV `target`, initialised from another MTV of the same architecture,
    and a report.

    The sizes of clips and tubelets may differ: positions are resampled over rows and columns,
    kernels over their extent; class tokens, bottlenecks and the positions of the global encoder
    over time. The head is randomly initialised.
    """
    old, new = Tables(source), Tables(target)
    return initialize(
        target=target,
        source=source,
        takes={path: resampled(path, old, new) for path in target.flat},
        allow_random=[HEAD, *allow_random],
        allow_unused=[HEAD, *allow_unused],
    )


def from_same_model(
    *,
    target: ModelWeights,
    source: ModelWeights,
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """As `from_multiview_model`, with the head."""
    old, new = Tables(source), Tables(target)
    return initialize(
        target=target,
        source=source,
        takes={path: resampled(path, old, new) for path in target.flat},
        allow_random=allow_random,
        allow_unused=allow_unused,
    )


def _in_order_of_views(
    target: ModelWeights, images: Sequence[ModelWeights]
) -> Sequence[ModelWeights]:
    """The image models from the coarsest view to the finest, by their widths; as they are if these
    do not say which is which."""
    widths = [_width(target, f"embedding_view{view}") for view in range(len(images))]
    by_width = {_width(image, "embedding"): image for image in images}
    if len(by_width) < len(images) or set(widths) != set(by_width):
        return images
    return [by_width[width] for width in widths]


def _width(weights: ModelWeights, embedding: str) -> int | None:
    bias = weights.flat.get(f"{embedding}/bias")
    return None if bias is None else bias.shape[-1]


def _joint(parts: Mapping[int, ImageView]) -> ModelWeights:
    """The image models as one source, with paths that start with the view."""
    params = {f"view{view}": part.image.params for view, part in parts.items()}
    names = dict.fromkeys(part.image.name for part in parts.values())
    return ModelWeights(params, name=", ".join(names))


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
