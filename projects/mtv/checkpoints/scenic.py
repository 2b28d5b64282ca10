"""The multiview transformers of Scenic."""

import math
import re
from typing import Any

from projects.mtv.views import FIELDS, View, coarse_to_fine
from scenic_video.errors import UserError
from scenic_video.weights.families.blocks import HEAD, QKV, SELF_ATTENTION, flax_block
from scenic_video.weights.families.names import NameTable, Rule
from scenic_video.weights.families.parameter_shapes import ParameterShapes
from scenic_video.weights.families.scenic import (
    Description,
    ScenicFamily,
    describe_clips,
    encoder,
    layers,
    norms,
    same,
    table_of,
)
from scenic_video.weights.families.token_grids import square_side

VIEWS, CLIP = "MultiviewEncoder", "global_encoder"
FUSED = f"{VIEWS}/cross_view_encoderblock_"
CROSS = re.compile(rf"{FUSED}(\d+)/cross_attention_view(\d+)_(\d+)/query/kernel")
LINEAR = re.compile(rf"{VIEWS}/bottleneck_linear_(\d+)_view\d+/kernel")
FUSIONS = "scenic_video.layers.view_fusion"
MODALITY = {1: "audio", 2: "flow", 3: "rgb"}
"""Of a view, by the channels of its input."""


def _fits(shapes: ParameterShapes) -> bool:
    return "embedding_view0/kernel" in shapes


def _number_of_views(shapes: ParameterShapes) -> int:
    return shapes.count(r"embedding_view(\d+)/")


def _table(shapes: ParameterShapes) -> NameTable:
    """The parameters of as many views as there are."""
    views = range(_number_of_views(shapes))
    of_views = (rule for view in views for rule in _view_rules(view, len(views)))
    clip = (*same("cls_global", table_of(f"{CLIP}/posembed_input")), *encoder(CLIP))
    return NameTable((*of_views, *clip, *layers(HEAD), *same("bottleneck")))


def _view_rules(view: int, number: int) -> tuple[Rule, ...]:
    fused = f"{FUSED}{{i}}"
    attention = [f"{fused}/msa_view{view}", *_cross_attention(view, number)]
    return (
        *same(f"cls_view{view}", table_of(f"{VIEWS}/posembed_input_view{view}")),
        *layers(f"embedding_view{view}", f"{CLIP}_linear_view{view}"),
        *layers(f"{VIEWS}/bottleneck_linear_{{i}}_view{view}"),
        *flax_block(f"{VIEWS}/encoderblock_{{i}}_view{view}"),
        *norms(*(f"{fused}/{x}_ln_view{view}" for x in ("msa", "cross_attention", "mlp"))),
        *layers(*(f"{name}/{x}" for name in attention for x in (*QKV, "out"))),
        *layers(*(f"{fused}/mlp_view{view}/Dense_{i}" for i in (0, 1))),
    )


def _cross_attention(view: int, number: int) -> list[str]:
    """Of this view to its neighbours."""
    neighbours = [other for other in (view - 1, view + 1) if 0 <= other < number]
    return [f"{FUSED}{{i}}/cross_attention_view{view}_{other}" for other in neighbours]


def _describe(shapes: ParameterShapes) -> Description:
    views = [_view(shapes, view) for view in range(_number_of_views(shapes))]
    if coarse_to_fine(views) != tuple(views):
        raise UserError(
            "The views of this checkpoint are in another order than coarse to fine, which no model "
            f"here has: {', '.join(_words(view) for view in views)}."
        )
    fusion, notes = _fusion(shapes, views)
    model: dict[str, Any] = {
        "target": "projects.mtv.model:MTV",
        "views": [{name: getattr(view, name) for name in FIELDS} for view in views],
        "fusion": fusion,
        "classifier": "token" if "cls_global" in shapes else "gap",
    }
    clip = shapes.encoder(CLIP)
    if shapes.has(f"{CLIP}_linear_view0/"):
        model |= {"merge": "time", "global_hidden_size": clip["hidden_size"]}
    model |= {f"global_{x}": clip[x] for x in ("mlp_dim", "num_layers", "num_heads")}
    modalities = tuple(dict.fromkeys(view.modality for view in reversed(views)))
    return describe_clips(model, _clip_size(shapes, views), notes, modalities=modalities)


def _view(shapes: ParameterShapes, view: int) -> View:
    *patch, channels, width = shapes.kernel(f"embedding_view{view}")
    if channels not in MODALITY:
        raise UserError(f"View {view} has an input of {channels} channels; wanted {[*MODALITY]}.")
    plain, fused = f"{VIEWS}/encoderblock_0_view{view}", f"{FUSED}0"
    names = (f"{plain}/{SELF_ATTENTION}", f"{plain}/MlpBlock_0")
    if f"{names[0]}/query/kernel" not in shapes:
        names = (f"{fused}/msa_view{view}", f"{fused}/mlp_view{view}")
    sizes: dict[str, Any] = shapes.block(*names) | {"hidden_size": width}
    sizes["num_layers"] = _number_of_blocks(shapes, view)
    modality: Any = MODALITY[channels]
    return View(tubelet_size=tuple(patch), modality=modality, **sizes)


def _number_of_blocks(shapes: ParameterShapes, view: int) -> int:
    """With those in which views exchange information."""
    own = rf"{VIEWS}/encoderblock_(\d+)_view{view}/|{FUSED}(\d+)/msa_view{view}/"
    blocks = {int(m[1] or m[2]) for path in shapes if (m := re.match(own, path))}
    if blocks != set(range(len(blocks))):
        raise UserError(f"View {view} of this checkpoint lacks blocks: it has {sorted(blocks)}.")
    return len(blocks)


def _fusion(
    shapes: ParameterShapes, views: list[View]
) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """The node of the fusion, None for late fusion, and what was assumed."""
    if crossed := [m for path in shapes if (m := CROSS.fullmatch(path))]:
        return _cross_view_attention(shapes, views, crossed), ()
    if "bottleneck" not in shapes:
        return None, ()
    *_, number, width = shapes.of("bottleneck", 4)
    backwards = width == views[0].hidden_size != views[-1].hidden_size
    node: dict[str, Any] = {
        "target": f"{FUSIONS}:Bottleneck",
        "num_tokens": number,
        "direction": "coarse_to_fine" if backwards else "fine_to_coarse",
    }
    if found := sorted({int(m[1]) for path in shapes if (m := LINEAR.fullmatch(path))}):
        return node | {"layers": tuple(found)}, ()
    last = max(view.num_layers for view in views) - 1
    node["layers"] = (last // 2, last)
    note = f"its parameters do not show the layers of fusion; {node['layers']} are assumed"
    return node, (f"{note} (model.fusion.layers)",)


def _cross_view_attention(
    shapes: ParameterShapes, views: list[View], crossed: list[re.Match[str]]
) -> dict[str, Any]:
    pairs = {(int(match[2]), int(match[3])) for match in crossed}
    reader, source = min(pairs)
    of_source = False
    for match in crossed:
        query, other = (views[int(match[i])] for i in (2, 3))
        _, heads, depth = shapes.of(match[0], 3)
        if heads * depth != query.hidden_size and heads * depth == other.hidden_size:
            of_source = True
    return {
        "target": f"{FUSIONS}:CrossViewAttention",
        "layers": tuple(sorted({int(match[1]) for match in crossed})),
        "direction": "fine_to_coarse" if source > reader else "coarse_to_fine",
        "sizes_from": "key_value" if of_source else "query",
    }


def _clip_size(shapes: ParameterShapes, views: list[View]) -> tuple[int, int, int] | None:
    """(frames, rows, columns) of the clips, if the positions of all views agree on them."""
    if any(view.modality != "rgb" for view in views):
        return None
    has_token = "cls_global" in shapes
    steps = shapes.of(table_of(f"{CLIP}/posembed_input"), 3)[1] - has_token
    times = [view.tubelet_size[0] for view in views]
    if shapes.has(f"{CLIP}_linear_view0/"):
        frames = round(steps / sum(1 / time for time in times))
    else:
        frames = steps * min(times)
    side = _side(shapes, views, has_token=has_token)
    whole = all(frames % time == 0 for time in times)
    return None if side is None or not whole else (frames, side, side)


def _side(shapes: ParameterShapes, views: list[View], *, has_token: bool) -> int | None:
    """The smallest square that has the patches of all views."""
    sides, patches = [], []
    for index, view in enumerate(views):
        places = shapes.of(table_of(f"{VIEWS}/posembed_input_view{index}"), 3)[1] - has_token
        patches.append(view.tubelet_size[1])
        sides.append(square_side(places))
    if None in sides:
        return None
    pixels = max(side * patch for side, patch in zip(sides, patches, strict=True))
    agree = all(pixels // patch == side for side, patch in zip(sides, patches, strict=True))
    return pixels if agree else None


def _words(view: View) -> str:
    return f"{math.prod(view.tubelet_size)} pixels of width {view.hidden_size}"


SCENIC = (ScenicFamily(name="MTV of Scenic", fits=_fits, describe=_describe, table=_table),)
