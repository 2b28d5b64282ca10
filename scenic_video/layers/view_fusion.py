"""Where and how views of one input exchange information (late fusion is none of these).

Figures are those of Yan et al., Multiview Transformers for Video Recognition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import MinLen

from scenic_video.config import check_fields
from scenic_video.errors import UserError
from scenic_video.field_types import Count, PositiveInt
from scenic_video.layers.fields import require_one_of

DIRECTIONS = ("fine_to_coarse", "coarse_to_fine")


@dataclass(frozen=True)
class Fusion:
    """Information flows between neighbouring views in these `layers`, counted from 0.

    `direction` "fine_to_coarse" lets every view read from its finer neighbour (the finest reads
    nothing), "coarse_to_fine" from its coarser one.
    """

    layers: Annotated[Sequence[Count], MinLen(1)] = (5, 11)
    direction: str = "fine_to_coarse"

    def __post_init__(self):
        check_fields(self)
        object.__setattr__(self, "layers", tuple(self.layers))  # hashable, from JSON as well
        require_one_of(self, "direction", DIRECTIONS)

    def order(self, num_views: int) -> list[int]:
        """The views (0 is the coarsest) in the order in which information reaches them."""
        views = list(range(num_views))
        return views[::-1] if self.direction == "fine_to_coarse" else views

    def pairs(self, num_views: int) -> list[tuple[int, int]]:
        """(reading view, view that it reads from), in the order of the flow."""
        order = self.order(num_views)
        return list(zip(order[1:], order[:-1], strict=True))

    def check(self, depths: Sequence[int]) -> None:
        """A ValueError unless there are neighbours, and every layer reads what another view gave.

        `depths` are how many layers each view has, coarse to fine.
        """
        name, last = type(self).__name__, max(depths) - 1
        if len(depths) < 2:
            raise UserError(f"{name} needs two views or more; set fusion=None.")
        if wrong := [layer for layer in self.layers if layer > last]:
            raise UserError(
                f"{name} in layers {wrong}, but the deepest view has layers 0 to {last}. Change "
                "fusion.layers."
            )
        for layer in self.layers:
            if not self._exchanges(layer, depths):
                raise UserError(
                    f"{name} in layer {layer}: only one view has it, and nothing of another is "
                    f"read there. They have {', '.join(map(str, depths))} layers, coarse to "
                    "fine. Change fusion.layers."
                )

    def _exchanges(self, layer: int, depths: Sequence[int]) -> bool:
        """Whether a view reads anything of another in this layer."""
        return True


def check_fusion(fusion: Fusion | None, depths: Sequence[int]) -> None:
    """A ValueError unless `fusion` is one, and one of views of these `depths`; None always is."""
    if fusion is None:
        return
    if not isinstance(fusion, Fusion):
        raise UserError(
            f"fusion is {fusion!r}; it is None, or a fusion such as "
            "CrossViewAttention(layers=(5, 11)). In a config write "
            "dict(target='scenic_video.layers.view_fusion:CrossViewAttention', layers=(5, 11))."
        )
    fusion.check(depths)


@dataclass(frozen=True)
class CrossViewAttention(Fusion):
    """Tokens of one view attend to those of its neighbour (figure 2a).

    Width and heads of that attention are those of the view named by `sizes_from`, "query" or
    "key_value". All queries and keys are normalised tokens from before the layer's fusion, so a
    layer carries information one view further; `cascade=True` takes keys and values as already
    fused instead, so that it travels the whole chain within one layer (not as released).
    """

    sizes_from: str = "query"
    cascade: bool = False

    def __post_init__(self):
        super().__post_init__()
        require_one_of(self, "sizes_from", ("query", "key_value"))


@dataclass(frozen=True)
class Bottleneck(Fusion):
    """`num_tokens` learned tokens per time step visit one view after the other (figure 2b).

    They are appended to the tokens of a view during its layer, start in the width of the first
    view in the flow, and are projected where the width changes. They go on from layer to layer:
    a view that has a layer alone reads in it what others left in earlier ones.
    """

    num_tokens: PositiveInt = 4

    def _exchanges(self, layer: int, depths: Sequence[int]) -> bool:
        earlier = [other for other in self.layers if other < layer]
        visited = [any(other < depth for other in (*earlier, layer)) for depth in depths]
        return sum(visited) > 1


@dataclass(frozen=True)
class MLPFusion(Fusion):
    """Tokens of the neighbour are concatenated to a view's own before its MLP (figure 2c).

    They are brought to the reading view's grid first: see
    `scenic_video.layers.cross_view.align_tokens`. A view that has ended is read as it ended.
    """

    def _exchanges(self, layer: int, depths: Sequence[int]) -> bool:
        return any(layer < depths[reader] for reader, _ in self.pairs(len(depths)))
