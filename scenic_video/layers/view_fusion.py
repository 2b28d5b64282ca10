"""How views of one input exchange information. (Late fusion needs none of these.)

Figures refer to Yan et al., Multiview Transformers for Video Recognition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import MinLen

from scenic_video.config import check_fields
from scenic_video.errors import UserError
from scenic_video.field_types import Count, PositiveInt


@dataclass(frozen=True)
class Fusion:
    """Information flows between neighbouring views in these `layers`, counted from 0.

    With `direction` "fine_to_coarse" each view reads from its finer neighbour (and the finest from
    none), with "coarse_to_fine" from its coarser neighbour.
    """

    layers: Annotated[Sequence[Count], MinLen(1)] = (5, 11)
    direction: Literal["fine_to_coarse", "coarse_to_fine"] = "fine_to_coarse"

    def __post_init__(self):
        check_fields(self)
        object.__setattr__(self, "layers", tuple(self.layers))  # hashable, from JSON as well

    def order(self, num_views: int) -> list[int]:
        """The views (0 is the coarsest) in the order in which information reaches them."""
        views = list(range(num_views))
        return views[::-1] if self.direction == "fine_to_coarse" else views

    def pairs(self, num_views: int) -> list[tuple[int, int]]:
        """(reading view, view that it reads from), in the order of the flow."""
        order = self.order(num_views)
        return list(zip(order[1:], order[:-1], strict=True))

    def check(self, depths: Sequence[int]) -> None:
        """Errors: UserError for a single view, or for a layer in which no view reads from another.

        `depths` are the numbers of layers of the views, coarse to fine.
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
                    f"{name} in layer {layer}: only one view has this layer, and it would read "
                    f"nothing from others. The views have {', '.join(map(str, depths))} layers, "
                    "coarse to fine. Change fusion.layers."
                )

    def _exchanges(self, layer: int, depths: Sequence[int]) -> bool:
        """Whether a view reads from another one in this layer."""
        return True


def check_fusion(fusion: Fusion | None, depths: Sequence[int]) -> None:
    """Errors: UserError unless `fusion` is None or suits views of these `depths`."""
    if fusion is None:
        return
    if not isinstance(fusion, Fusion):
        raise UserError(
            f"fusion is {fusion!r}; it must be None, or a fusion such as "
            "CrossViewAttention(layers=(5, 11)). In a config write "
            "dict(target='scenic_video.layers.view_fusion:CrossViewAttention', layers=(5, 11))."
        )
    fusion.check(depths)


@dataclass(frozen=True)
class CrossViewAttention(Fusion):
    """Tokens of one view attend to those of its neighbour (figure 2a).

    The width and heads of attention are those of the view that `sizes_from` names, "query" or
    "key_value". Queries and keys are normalised tokens from before the fusion of the layer, so
    information moves by one view per layer. With `cascade=True` keys and values come from tokens
    that are already fused, so it passes through all views in one layer (unlike in the released
    models).
    """

    sizes_from: Literal["query", "key_value"] = "query"
    cascade: bool = False


@dataclass(frozen=True)
class Bottleneck(Fusion):
    """`num_tokens` learned tokens per time step are passed from view to view (figure 2b).

    They are appended to the tokens of one view after another. They start with the width of the
    first view, and are projected where the width changes. They are carried over from layer to
    layer: in a layer that only one view has, it reads what other views wrote in earlier layers.
    """

    num_tokens: PositiveInt = 4

    def _exchanges(self, layer: int, depths: Sequence[int]) -> bool:
        earlier = [other for other in self.layers if other < layer]
        visited = [any(other < depth for other in (*earlier, layer)) for depth in depths]
        return sum(visited) > 1


@dataclass(frozen=True)
class MLPFusion(Fusion):
    """The MLP of a view also takes the tokens of its neighbour, concatenated (figure 2c).

    These are first mapped to the grid of the receiving view, see
    `scenic_video.layers.cross_view.align_tokens`. After the neighbour's last layer, its final
    tokens are used.
    """

    def _exchanges(self, layer: int, depths: Sequence[int]) -> bool:
        return any(layer < depths[reader] for reader, _ in self.pairs(len(depths)))
