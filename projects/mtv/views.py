"""Views of a clip: their modality, tubelet and transformer, and the notation for them."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from scenic_video.config import check_fields
from scenic_video.errors import UserError
from scenic_video.field_types import Extents, PositiveInt
from scenic_video.layers.sizes import size

Modality = Literal["flow", "audio", "rgb"]
RANK: tuple[Modality, ...] = get_args(Modality)
"""The modalities of views, in the order of those that have the same transformer."""

SPECTROGRAM_PATCH = (16, 16)
"""Time frames and mel bins of a view of audio, unless written otherwise."""


@dataclass(frozen=True)
class View:
    """One view: tubelets of `tubelet_size` of a modality, and the transformer over them.

    `modality` is the input of the view: "rgb" or "flow" with tubelets (t, h, w), or
    "audio" with patches (time frames, mel bins). Errors: UserError for another.
    """

    hidden_size: PositiveInt
    mlp_dim: PositiveInt
    num_layers: PositiveInt
    num_heads: PositiveInt
    tubelet_size: Extents
    modality: Modality = "rgb"

    def __post_init__(self):
        check_fields(self)
        object.__setattr__(self, "tubelet_size", tuple(self.tubelet_size))  # hashable, from JSON
        axes = "time frames, mel bins" if self.is_audio else "frames, rows, columns"
        if len(self.tubelet_size) != len(axes.split(", ")):
            raise UserError(
                f"A view of {self.modality} has a tubelet_size ({axes}), each from 1 up; got "
                f"{self.tubelet_size}."
            )

    @property
    def is_audio(self) -> bool:
        return self.modality == "audio"

    @property
    def space(self) -> str:
        """What its rows and columns are of."""
        return "mel bins" if self.is_audio else "frame"

    def grid(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """The number of tubelets in an input of this shape, [b, t, h, w, c] or [b, s, f, 1], over
        time, rows and columns. The columns of a spectrogram are its mel bins, in one row."""
        time, *rows, columns = (n // p for n, p in zip(shape[1:-1], self.tubelet_size, strict=True))
        return time, rows[0] if rows else 1, columns


FIELDS = tuple(field.name for field in fields(View))

Views = str | Sequence[View | Mapping[str, Any] | str]
"""Views as written ("B/2+S/4"), or each by itself: as written, as a `View`, or as a mapping of its
fields, as in configs."""


def read_views(views: Views) -> tuple[View, ...]:
    """The views in any form, sorted coarse to fine."""
    if isinstance(views, str):
        return parse_views(views)
    if isinstance(views, View | Mapping) or not isinstance(views, Iterable):
        raise UserError(f"Views are written 'B/2+S/4', or a sequence of views; got {views!r}.")
    return coarse_to_fine([_read_view(view) for view in views])


def parse_views(text: str) -> tuple[View, ...]:
    """Reads views such as "B/2+S/4+Ti/8", and sorts them coarse to fine.

    A view is a size (Ti, S, B, L, H) and a tubelet: `X/T` is T frames of 16 x 16 pixels (14 x 14
    for H), `X/PxT` of P x P, `X/HxWxT` of H rows and W columns. A modality may follow, as in
    "B/2:rgb+S/16x16:audio+Ti/4:flow". For audio, `X/T` is T time frames of 16 mel bins and
    `X/TxF` of F. Where a modality is written the tubelet may be left out, as in "B:rgb+S:audio":
    2 frames of 16 x 16 (14 x 14) pixels, or 16 time frames x 16 mel bins.
    """
    return coarse_to_fine([_parse_view(name.strip(), text) for name in text.split("+")])


def coarse_to_fine(views: Sequence[View]) -> tuple[View, ...]:
    """The views in the order in which parameters count them, and in which neighbours exchange
    information.

    Views of one modality: from the largest tubelet to the smallest; among equals the longer one
    first, then the one with the smaller transformer. Tubelets of different modalities cannot be
    compared. The positions of each modality therefore follow the sizes of transformers, from the
    smallest to the largest, which is coarse to fine in the papers (among equals flow, then audio,
    then RGB); the views of a modality fill its positions in the order above.
    """
    if not views:
        raise UserError("A multiview transformer needs at least one view, such as 'B/4'.")
    by_tubelet = sorted(views, key=lambda view: (_coarseness(view), _transformer(view)))
    of_modality = {
        modality: iter([view for view in by_tubelet if view.modality == modality])
        for modality in RANK
    }
    places = sorted(views, key=lambda view: (_transformer(view), RANK.index(view.modality)))
    return tuple(next(of_modality[place.modality]) for place in places)


def _coarseness(view: View) -> tuple:
    """Sort key: smaller for larger tubelets, and among equals for longer ones."""
    return -math.prod(view.tubelet_size), tuple(-n for n in view.tubelet_size)


def _transformer(view: View) -> tuple[int, ...]:
    """Sort key: smaller for smaller transformers."""
    return view.hidden_size, view.num_layers, view.num_heads, view.mlp_dim


def _read_view(view: Any) -> View:
    match view:
        case View():
            return view
        case str():
            return _parse_view(view.strip(), view)
        case Mapping():
            return _of_fields(view)
    raise UserError(
        f"A view is a string such as 'B/2' or a mapping of its fields, {', '.join(FIELDS)}; got "
        f"{view!r}."
    )


def _of_fields(given: Mapping[str, Any]) -> View:
    unknown = [name for name in given if name not in FIELDS]
    missing = [name for name in FIELDS if name not in given and name != "modality"]
    if unknown or missing:
        raise UserError(
            f"A view has the fields {', '.join(FIELDS)}; {dict(given)} lacks {missing} and has "
            f"{unknown} beyond them."
        )
    return View(**given)


def _parse_view(name: str, text: str) -> View:
    match = re.fullmatch(r"([A-Za-z]+)(?:/(\d+(?:x\d+){0,2}))?(?::(\w+))?", name)
    if match is None or (match[2] is None and match[3] is None):
        raise UserError(
            f"Cannot read {name!r} as a view (in views {text!r}). Views read size/tubelet:modality,"
            " joined by '+': 'B/4' (4 frames), 'B/16x4' (16 pixels, 4 frames), 'B/16x32x4' "
            "(h, w, t), 'S/16x16:audio' (time frames, mel bins), 'B:rgb'."
        )
    letter, numbers, written = match.groups()
    modality = written or "rgb"
    if modality not in RANK:
        raise UserError(f"View {name!r} has modality {written!r}, not one of {', '.join(RANK)}.")
    extents = [int(number) for number in numbers.split("x")] if numbers else []
    if not all(extents):
        raise UserError(f"View {name!r} has a tubelet of size 0; write numbers from 1 up.")
    cut = _spectrogram_patch if modality == "audio" else _tubelet
    return View(**size(letter), tubelet_size=cut(letter, extents), modality=modality)


def _tubelet(letter: str, extents: Sequence[int]) -> tuple[int, int, int]:
    """(t, h, w) from T, P x T or H x W x T; the default is that of ViViT."""
    *patch, time = extents or [2]
    patch = patch or [14 if letter == "H" else 16]
    return time, patch[0], patch[-1]


def _spectrogram_patch(letter: str, extents: Sequence[int]) -> tuple[int, ...]:
    """(time frames, mel bins) from T or T x F."""
    return (*extents, *SPECTROGRAM_PATCH[len(extents) :])
