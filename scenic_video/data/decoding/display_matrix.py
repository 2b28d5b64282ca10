"""The orientation in which a frame is shown: rotated or flipped by its display matrix."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any, cast

import av
import numpy as np
from av.sidedata.sidedata import SideData, Type

from scenic_video.data.decoding.filter_graph import build_graph

UNNAMED = range(1 + max(kind.value for kind in Type), 64)
"""FFmpeg's kinds of side data that PyAV may not support."""


@dataclasses.dataclass(frozen=True)
class Orientation:
    """The flip left to right and then the clockwise rotation that make a stored frame upright.

    `rotation` is 0, 90, 180 or 270 degrees.
    """

    rotation: int = 0
    is_flipped: bool = False

    def __str__(self) -> str:
        words = [f"{self.rotation} degrees"] * (self.rotation > 0) + ["flipped"] * self.is_flipped
        return ", ".join(words) or "as stored"

    def upright_size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """(height, width) of a frame as a player shows it."""
        swaps_sides = self.rotation % 180 != 0
        return (frame.width, frame.height) if swaps_sides else (frame.height, frame.width)

    @property
    def filters(self) -> list[tuple[str, str]]:
        """FFmpeg's filters, with arguments, that make a stored frame upright."""
        turns = {
            0: [],
            90: [("transpose", "clock")],
            180: [("hflip", ""), ("vflip", "")],
            270: [("transpose", "cclock")],
        }
        return [("hflip", "")] * self.is_flipped + turns[self.rotation]


def orientation(frame: av.VideoFrame) -> Orientation:
    """The orientation in which players show the frame; as stored, if its matrix is singular.

    Angles are rounded to a quarter turn.
    """
    for data in _side_data(frame):
        if data.type is Type.DISPLAYMATRIX:
            return _orientation(np.frombuffer(memoryview(data), np.int32).tolist())
    return Orientation()


def _side_data(frame: av.VideoFrame) -> Iterable[SideData]:
    try:
        return cast(Any, frame.side_data)
    except ValueError:  # PyAV fails if it has no name for a kind, such as EXIF
        unnamed = [("sidedata", f"mode=delete:type={number}") for number in UNNAMED]
        graph = build_graph(frame, unnamed)
        graph.vpush(frame)
        return cast(Any, graph.vpull().side_data)


def _orientation(matrix: Sequence[int]) -> Orientation:
    """From x' = a x + c y, y' = b x + d y, where y points down."""
    a, b, _, c, d, *_ = matrix
    area = a * d - b * c
    if area == 0:
        return Orientation()
    sign = -1 if area < 0 else 1  # without the flip, which comes first, a rotation remains
    angle = math.degrees(math.atan2(sign * b / math.hypot(b, d), sign * a / math.hypot(a, c)))
    return Orientation(rotation=round(angle / 90) % 4 * 90, is_flipped=area < 0)
