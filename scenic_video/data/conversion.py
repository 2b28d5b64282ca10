"""Decoded pictures as RGB arrays: cut, scaled, turned upright and mirrored in one filter graph."""

from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from jaxtyping import UInt8

from scenic_video.data.sampling import Crop

ChooseCrop = Callable[[int, int], Crop]
"""(height, width) of the upright picture -> the crop of it that is wanted."""


class SharedCrop:
    """Asks `choose_crop` once, and cuts pictures of any size at the same place of their own.

    For pictures of one scene, such as a video and its optical flow. `crop` is that of the size
    that came first.
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
    """Turns decoded frames into uint8 [height, width, 3]: the same crop of every one.

    Metadata that says how to turn the picture is obeyed; pixels that are not square stay so.
    `choose_crop` is asked once, with the size of the first frame; a frame of another size later
    in the video is cut at the same place relative to its own size.
    """

    def __init__(self, choose_crop: ChooseCrop):
        self._choose_crop = SharedCrop(choose_crop)
        self._rotation: int | None = None
        self._graphs: dict[tuple, Graph] = {}

    def __call__(self, frame: av.VideoFrame) -> UInt8[np.ndarray, "h w 3"]:
        """The picture, in memory that lives no longer than the next call: copy it."""
        key = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if key not in self._graphs:
            self._graphs[key] = self._build(frame)
        graph = self._graphs[key]
        graph.vpush(frame)
        picture = graph.vpull()
        rows = np.frombuffer(memoryview(picture.planes[0]), np.uint8).reshape(picture.height, -1)
        return rows[:, : picture.width * 3].reshape(picture.height, picture.width, 3)

    def _build(self, frame: av.VideoFrame) -> Graph:
        if self._rotation is None:
            self._rotation = clockwise_rotation(frame)
        crop = self._choose_crop(*upright_size(frame))
        return build_graph(frame, rgb_filters(frame, crop, rotation=self._rotation))


def clockwise_rotation(frame: av.VideoFrame) -> int:
    """By how many degrees (0, 90, 180 or 270) a player turns the picture, clockwise."""
    return round(-frame.rotation / 90) % 4 * 90


def upright_size(frame: av.VideoFrame) -> tuple[int, int]:
    """(height, width) of the picture as a player shows it."""
    if clockwise_rotation(frame) % 180 == 0:
        return frame.height, frame.width
    return frame.width, frame.height


def rgb_filters(frame: av.VideoFrame, crop: Crop, *, rotation: int) -> list[tuple[str, str]]:
    """(filter, arguments): the box before the scale, and what moves pixels last, on fewest."""
    crop = _before_turning(crop, *upright_size(frame), rotation=rotation)
    filters = []
    if (crop.height, crop.width) != (frame.height, frame.width):
        filters.append(("crop", f"{crop.width}:{crop.height}:{crop.left}:{crop.top}:exact=1"))
    filters.append(("scale", f"{crop.out_width}:{crop.out_height}:flags=bilinear"))
    filters.append(("format", "rgb24"))
    filters += turning_filters(rotation)
    if crop.mirrored:
        filters.append(("hflip", ""))
    return filters


def turning_filters(rotation: int) -> list[tuple[str, str]]:
    """The filters that turn a picture clockwise by 0, 90, 180 or 270 degrees."""
    return {
        0: [],
        90: [("transpose", "clock")],
        180: [("hflip", ""), ("vflip", "")],
        270: [("transpose", "cclock")],
    }[rotation]


def build_graph(
    frame: av.VideoFrame, filters: list[tuple[str, str]], *, time_base: Fraction = Fraction(1)
) -> Graph:
    """A graph for frames like `frame`, with one thread: many clips are decoded side by side."""
    graph = Graph()
    graph.threads = 1
    source = graph.add(
        "buffer",
        video_size=f"{frame.width}x{frame.height}",
        pix_fmt=frame.format.name,
        time_base=str(time_base),
        colorspace=str(int(frame.colorspace)),
        range=str(int(frame.color_range)),
    )
    nodes = [graph.add(name, arguments or None) for name, arguments in filters]
    graph.link_nodes(source, *nodes, graph.add("buffersink")).configure()
    return graph


def _relative(crop: Crop, *, was: tuple[int, int], now: tuple[int, int]) -> Crop:
    if was == now:
        return crop
    top, height = crop.top * now[0] // was[0], max(1, crop.height * now[0] // was[0])
    left, width = crop.left * now[1] // was[1], max(1, crop.width * now[1] // was[1])
    return Crop(top, left, height, width, crop.out_height, crop.out_width, crop.mirrored)


def _before_turning(crop: Crop, height: int, width: int, *, rotation: int) -> Crop:
    """`crop` of an upright picture, as a crop of the picture before it is turned clockwise."""
    for _ in range(rotation // 90):
        # One quarter turn back: what was the right edge lies on top.
        top, left = (width - crop.left - crop.width) // 2 * 2, crop.top
        sizes = (crop.width, crop.height, crop.out_width, crop.out_height)
        crop = Crop(top, left, *sizes, crop.mirrored)
        height, width = width, height
    return crop
