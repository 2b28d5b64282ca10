"""Where and how views of one input exchange information (late fusion is none of these).

Figures are those of Yan et al., Multiview Transformers for Video Recognition.
"""

from collections.abc import Sequence
from dataclasses import dataclass

DIRECTIONS = ("fine_to_coarse", "coarse_to_fine")


@dataclass(frozen=True)
class Fusion:
    """Information flows between neighbouring views in these `layers`, counted from 0.

    `direction` "fine_to_coarse" lets every view read from its finer neighbour (the finest reads
    nothing), "coarse_to_fine" from its coarser one.
    """

    layers: Sequence[int] = (5, 11)
    direction: str = "fine_to_coarse"

    def __post_init__(self):
        object.__setattr__(self, "layers", tuple(self.layers))  # hashable, from JSON as well
        _require("direction", self.direction, DIRECTIONS)

    def order(self, num_views: int) -> list[int]:
        """The views (0 is the coarsest) in the order in which information reaches them."""
        views = list(range(num_views))
        return views[::-1] if self.direction == "fine_to_coarse" else views

    def pairs(self, num_views: int) -> list[tuple[int, int]]:
        """(reading view, view that it reads from), in the order of the flow."""
        order = self.order(num_views)
        return list(zip(order[1:], order[:-1], strict=True))

    def check(self, *, num_views: int, num_layers: int) -> None:
        """A ValueError unless there are neighbours, and layers as deep as those of the fusion."""
        if num_views < 2:
            raise ValueError(f"{type(self).__name__} needs two views or more; set fusion=None.")
        if wrong := [layer for layer in self.layers if not 0 <= layer < num_layers]:
            raise ValueError(
                f"{type(self).__name__} in layers {wrong}, but the deepest view has layers 0 to "
                f"{num_layers - 1}. Change fusion.layers."
            )


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
        _require("sizes_from", self.sizes_from, ("query", "key_value"))


@dataclass(frozen=True)
class Bottleneck(Fusion):
    """`num_tokens` learned tokens per time step visit one view after the other (figure 2b).

    They are appended to the tokens of a view during its layer, start in the width of the first
    view in the flow, and are projected where the width changes.
    """

    num_tokens: int = 4

    def __post_init__(self):
        super().__post_init__()
        if self.num_tokens < 1:
            raise ValueError(f"A bottleneck has at least one token; got {self.num_tokens}.")


@dataclass(frozen=True)
class MLPFusion(Fusion):
    """Tokens of the neighbour are concatenated to a view's own before its MLP (figure 2c).

    They are brought to the reading view's grid first: see
    `scenic_video.layers.cross_view.align_tokens`.
    """


def _require(field: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"Fusion: {field} is {value!r}, not one of {tuple(known)}.")
