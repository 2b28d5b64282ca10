"""Views of a video: how each is cut and how large its transformer is, and how they are written."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from scenic_video.layers.sizes import size


@dataclass(frozen=True)
class View:
    """One view: tubelets of `tubelet_size` (t, h, w) of a modality, and the transformer over them.

    `modality` names the model's input that the view sees.
    """

    hidden_size: int
    mlp_dim: int
    num_layers: int
    num_heads: int
    tubelet_size: Sequence[int]
    modality: str = "rgb"

    def __post_init__(self):
        object.__setattr__(self, "tubelet_size", tuple(self.tubelet_size))  # hashable, from JSON

    def grid(self, video: Sequence[int]) -> tuple[int, int, int]:
        """How many tubelets fit along the frames, rows and columns of a video of (t, h, w)."""
        time, rows, columns = (n // p for n, p in zip(video, self.tubelet_size, strict=True))
        return time, rows, columns


Views = str | Sequence[View | Mapping[str, Any]]
"""Views as written ("B/2+S/4"), as `View`s, or as mappings of their fields, as in configs."""


def read_views(views: Views) -> tuple[View, ...]:
    """The views, coarse to fine, however they are given."""
    if isinstance(views, str):
        return parse_views(views)
    return coarse_to_fine([view if isinstance(view, View) else _of_fields(view) for view in views])


def parse_views(text: str) -> tuple[View, ...]:
    """Reads views such as "B/2+S/4+Ti/8"; the answer is coarse to fine, however they are written.

    A view is a size (Ti, S, B, L, H) and a tubelet: `X/T` is T frames of 16 x 16 pixels (14 x 14
    for H), `X/PxT` of P x P, `X/HxWxT` of H rows and W columns.
    """
    return coarse_to_fine([_parse_view(name.strip(), text) for name in text.split("+")])


def coarse_to_fine(views: Sequence[View]) -> tuple[View, ...]:
    """The views from the largest tubelet to the smallest; among equals the longer one first, then
    the one with the smaller transformer. Parameters count views in this order."""
    if not views:
        raise ValueError("A multiview transformer needs a view, such as 'B/4'.")

    def order(view: View) -> tuple:
        size = (view.hidden_size, view.num_layers, view.num_heads, view.mlp_dim, view.modality)
        return -math.prod(view.tubelet_size), tuple(-n for n in view.tubelet_size), size

    return tuple(sorted(views, key=order))


def _of_fields(given: Mapping[str, Any]) -> View:
    known = [field.name for field in fields(View)]
    optional = {"modality"}
    unknown = [name for name in given if name not in known]
    missing = [name for name in known if name not in given and name not in optional]
    if unknown or missing:
        raise ValueError(
            f"A view has the fields {', '.join(known)}; {dict(given)} lacks {missing} and has "
            f"{unknown} beyond them."
        )
    return View(**given)


def _parse_view(name: str, text: str) -> View:
    match = re.fullmatch(r"([A-Za-z]+)/(\d+(?:x\d+){0,2})", name)
    if match is None:
        raise ValueError(
            f"Cannot read {name!r} as a view (in views {text!r}). Views read size/tubelet, joined "
            "by '+': 'B/4' (4 frames), 'B/16x4' (16 pixels, 4 frames) or 'B/16x32x4' (h, w, t)."
        )
    letter, numbers = match[1], [int(number) for number in match[2].split("x")]
    if not all(numbers):
        raise ValueError(f"View {name!r} has a tubelet of no extent; write numbers from 1 up.")
    *patch, time = numbers
    patch = patch or [14 if letter == "H" else 16]
    return View(**size(letter), tubelet_size=(time, patch[0], patch[-1]))
