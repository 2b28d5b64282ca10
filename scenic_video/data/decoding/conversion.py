"""Converts decoded frames to RGB arrays: crops, scales, rotates and flips them in one graph."""

import dataclasses
from collections.abc import Callable

import av
import numpy as np
from av.filter import Graph
from jaxtyping import UInt8

from scenic_video.data.decoding.display_matrix import Orientation, orientation
from scenic_video.data.decoding.filter_graph import build_graph
from scenic_video.data.decoding.sampling import Crop

ChooseCrop = Callable[[int, int], Crop]
"""(height, width) of the upright frame -> the requested crop of it."""


class SharedCrop:
    """Calls `choose_crop` once, and crops frames of any size at the same relative place.

    For frames of one scene, such as a video and its optical flow. `crop` belongs to the size that
    came first.
    """

    crop: Crop

    def __init__(self, choose_crop: ChooseCrop):
        self._choose_crop = choose_crop
        self._size: tuple[int, int] | None = None

    def __call__(self, height: int, width: int) -> Crop:
        if self._size is None:
            self._size = (height, width)
            self.crop = self._choose_crop(height, width)
        return _relative(self.crop, was=self._size, now=(height, width))


class RgbConverter:
    """Converts decoded frames to uint8 [height, width, 3], with the same crop for all of them.

    Frames are rotated and flipped as their metadata states; pixels that are not square are kept.
    `choose_crop` is called once, with the size of the first frame; a later frame of another size is
    cropped at the same place relative to its size.
    """

    def __init__(self, choose_crop: ChooseCrop):
        self._choose_crop = SharedCrop(choose_crop)
        self._orientation: Orientation | None = None
        self._graphs: dict[tuple, Graph] = {}

    def __call__(self, frame: av.VideoFrame) -> UInt8[np.ndarray, "h w 3"]:
        """The converted frame, in memory that the next call reuses: copy it."""
        key = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if key not in self._graphs:
            self._graphs[key] = self._build(frame)
        graph = self._graphs[key]
        graph.vpush(frame)
        rgb = graph.vpull()
        rows = np.frombuffer(memoryview(rgb.planes[0]), np.uint8).reshape(rgb.height, -1)
        return rows[:, : rgb.width * 3].reshape(rgb.height, rgb.width, 3)

    def _build(self, frame: av.VideoFrame) -> Graph:
        if self._orientation is None:
            self._orientation = orientation(frame)
        crop = self._choose_crop(*self._orientation.upright_size(frame))
        return build_graph(frame, rgb_filters(frame, crop, self._orientation))


def rgb_filters(frame: av.VideoFrame, crop: Crop, shown: Orientation) -> list[tuple[str, str]]:
    """(filter, arguments): crops before it scales, and rotates last, when there are fewest
    pixels."""
    crop = _as_stored(crop, *shown.upright_size(frame), shown=shown)
    filters = []
    if (crop.height, crop.width) != (frame.height, frame.width):
        filters.append(("crop", f"{crop.width}:{crop.height}:{crop.left}:{crop.top}:exact=1"))
    filters.append(("scale", f"{crop.out_width}:{crop.out_height}:flags=bilinear"))
    filters.append(("format", "rgb24"))
    filters += shown.filters
    if crop.flipped:
        filters.append(("hflip", ""))
    return filters


def _relative(crop: Crop, *, was: tuple[int, int], now: tuple[int, int]) -> Crop:
    if was == now:
        return crop
    top, height = crop.top * now[0] // was[0], max(1, crop.height * now[0] // was[0])
    left, width = crop.left * now[1] // was[1], max(1, crop.width * now[1] // was[1])
    return Crop(top, left, height, width, crop.out_height, crop.out_width, crop.flipped)


def _as_stored(crop: Crop, height: int, width: int, *, shown: Orientation) -> Crop:
    """`crop` of an upright frame, as a crop of the stored frame."""
    for _ in range(shown.rotation // 90):
        # One quarter turn back: the right edge becomes the top.
        top, left = (width - crop.left - crop.width) // 2 * 2, crop.top
        sizes = (crop.width, crop.height, crop.out_width, crop.out_height)
        crop = Crop(top, left, *sizes, crop.flipped)
        height, width = width, height
    if shown.is_flipped:
        crop = dataclasses.replace(crop, left=(width - crop.left - crop.width) // 2 * 2)
    return crop
