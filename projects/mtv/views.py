"""Views of a clip: what each sees, how it is cut, how large its transformer is, and how all of it
is written."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from scenic_video.layers.sizes import size

MODALITIES = {"rgb": "rgb", "audio": "spectrogram", "flow": "flow"}
"""What a view may see: as written in a view, and as the input of the model is called."""

SPECTROGRAM_PATCH = (16, 16)
"""Time frames and mel bins of a view of sound, unless written otherwise."""


@dataclass(frozen=True)
class View:
    """One view: tubelets of `tubelet_size` of a modality, and the transformer over them.

    `modality` is the input that the view sees: "rgb" or "flow" with tubelets (t, h, w), or
    "spectrogram" with patches (time frames, mel bins). Errors: ValueError for another.
    """

    hidden_size: int
    mlp_dim: int
    num_layers: int
    num_heads: int
    tubelet_size: Sequence[int]
    modality: str = "rgb"

    def __post_init__(self):
        object.__setattr__(self, "tubelet_size", tuple(self.tubelet_size))  # hashable, from JSON
        known = tuple(MODALITIES.values())
        if self.modality not in known:
            raise ValueError(f"The modality of a view is {self.modality!r}, not one of {known}.")
        axes = "time frames, mel bins" if self.is_sound else "frames, rows, columns"
        if len(self.tubelet_size) != len(axes.split(", ")) or min(self.tubelet_size) < 1:
            raise ValueError(
                f"A view of {self.modality} has a tubelet_size ({axes}), each from 1 up; got "
                f"{self.tubelet_size}."
            )

    @property
    def is_sound(self) -> bool:
        return self.modality == "spectrogram"

    def grid(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """How many tubelets fit into its input [b, t, h, w, c] or [b, s, f, 1] of this shape, over
        time, rows and columns. The columns of a spectrogram are its mel bins, in one row."""
        time, *rows, columns = (n // p for n, p in zip(shape[1:-1], self.tubelet_size, strict=True))
        return time, rows[0] if rows else 1, columns


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
    for H), `X/PxT` of P x P, `X/HxWxT` of H rows and W columns. A modality may follow, as in
    "B/2:rgb+S/16x16:audio+Ti/4:flow". For sound, `X/T` is T time frames of 16 mel bins and
    `X/TxF` of F. Where a modality is written the tubelet may be left out, as in "B:rgb+S:audio":
    2 frames of 16 x 16 (14 x 14) pixels, or 16 time frames x 16 mel bins.
    """
    return coarse_to_fine([_parse_view(name.strip(), text) for name in text.split("+")])


def coarse_to_fine(views: Sequence[View]) -> tuple[View, ...]:
    """The views in the order in which parameters count them, and in which neighbours exchange
    information.

    Views of one modality: from the largest tubelet to the smallest; among equals the longer one
    first, then the one with the smaller transformer. Tubelets of several modalities do not
    compare, so these go from the smallest transformer to the largest, which is coarse to fine in
    the papers; among equals flow, then sound, then RGB, and within a modality as above.
    """
    if not views:
        raise ValueError("A multiview transformer needs a view, such as 'B/4'.")
    several = len({view.modality for view in views}) > 1
    rank = ("flow", "spectrogram", "rgb")

    def order(view: View) -> tuple:
        transformer = (view.hidden_size, view.num_layers, view.num_heads, view.mlp_dim)
        tubelet = (-math.prod(view.tubelet_size), tuple(-n for n in view.tubelet_size))
        if several:
            return transformer, rank.index(view.modality), tubelet
        return tubelet, transformer

    return tuple(sorted(views, key=order))


def _of_fields(given: Mapping[str, Any]) -> View:
    known = [field.name for field in fields(View)]
    unknown = [name for name in given if name not in known]
    missing = [name for name in known if name not in given and name != "modality"]
    if unknown or missing:
        raise ValueError(
            f"A view has the fields {', '.join(known)}; {dict(given)} lacks {missing} and has "
            f"{unknown} beyond them."
        )
    return View(**given)


def _parse_view(name: str, text: str) -> View:
    match = re.fullmatch(r"([A-Za-z]+)(?:/(\d+(?:x\d+){0,2}))?(?::(\w+))?", name)
    if match is None or (match[2] is None and match[3] is None):
        raise ValueError(
            f"Cannot read {name!r} as a view (in views {text!r}). Views read size/tubelet:modality,"
            " joined by '+': 'B/4' (4 frames), 'B/16x4' (16 pixels, 4 frames), 'B/16x32x4' "
            "(h, w, t), 'S/16x16:audio' (time frames, mel bins), 'B:rgb'."
        )
    letter, numbers, written = match.groups()
    if (written or "rgb") not in MODALITIES:
        raise ValueError(f"View {name!r} sees {written!r}; views see {', '.join(MODALITIES)}.")
    modality = MODALITIES[written or "rgb"]
    extents = [int(number) for number in numbers.split("x")] if numbers else []
    if not all(extents):
        raise ValueError(f"View {name!r} has a tubelet of no extent; write numbers from 1 up.")
    cut = _spectrogram_patch if modality == "spectrogram" else _tubelet
    return View(**size(letter), tubelet_size=cut(letter, extents), modality=modality)


def _tubelet(letter: str, extents: Sequence[int]) -> tuple[int, int, int]:
    """(t, h, w) of what is written as T, P x T or H x W x T; by default as in ViViT."""
    *patch, time = extents or [2]
    patch = patch or [14 if letter == "H" else 16]
    return time, patch[0], patch[-1]


def _spectrogram_patch(letter: str, extents: Sequence[int]) -> tuple[int, ...]:
    """(time frames, mel bins) of what is written as T or T x F."""
    return (*extents, *SPECTROGRAM_PATCH[len(extents) :])
