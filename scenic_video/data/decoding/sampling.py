"""Samples the frames and the crop of a clip. Pure functions.

A timeline is the sorted times of the frames of a video; its indices identify frames. A `Crop` is
cut out before it is scaled, so that only kept pixels are processed.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from scenic_video.errors import UserError

ShortClips = Literal["loop", "pad"]

BOX_ASPECTS = (3 / 4, 4 / 3)
BOX_ATTEMPTS = 10

TIMESTAMP_ROUNDING = 1e-3
"""Seconds of rounding in timestamps: WebM and Matroska store milliseconds."""


@dataclasses.dataclass(frozen=True)
class Crop:
    """A box in pixels of a frame, and the size to which the box is scaled."""

    top: int
    left: int
    height: int
    width: int
    out_height: int
    out_width: int
    flipped: bool = False


def resample_timeline(
    timestamps: Float[np.ndarray, "frames"], *, frame_rate: float | int, end: float
) -> Int[np.ndarray, "ticks"]:
    """The frame on screen at every tick of `frame_rate`, from the first timestamp until `end`.

    It supports variable frame rates: frames repeat where the video is slower and are skipped where
    it is faster.
    """
    seconds = end - timestamps[0] - TIMESTAMP_ROUNDING
    num_ticks = max(1, math.ceil(seconds * frame_rate))
    ticks = timestamps[0] + np.arange(num_ticks) / frame_rate
    return frames_on_screen(timestamps, ticks)


def frames_on_screen(
    timestamps: Float[np.ndarray, "frames"], times: Float[np.ndarray, "n"]
) -> Int[np.ndarray, "n"]:
    """The last frame whose timestamp is not later, for each time; the first one before it."""
    later = np.searchsorted(timestamps, times + TIMESTAMP_ROUNDING, side="right")
    return np.maximum(later - 1, 0)


def clip_indices(
    timeline_length: int, offset: int, *, num_frames: int, stride: int, short_clips: str
) -> Int[np.ndarray, "frames"]:
    """`num_frames` indices from `offset` on, `stride` apart.

    After the end of the timeline, "loop" continues at its start (offset modulo length, not frame 0)
    and "pad" repeats the last frame.
    """
    indices = offset + np.arange(num_frames) * stride
    if short_clips == "loop":
        return indices % timeline_length
    return np.minimum(indices, timeline_length - 1)


def random_offset(
    rng: np.random.Generator, timeline_length: int, *, num_frames: int, stride: int
) -> int:
    """The first index of a training clip: uniform over all offsets where the clip fits, else 0."""
    return int(rng.integers(max(timeline_length - (num_frames - 1) * stride, 1)))


def spread_offsets(
    timeline_length: int, *, num_clips: int, num_frames: int, stride: int
) -> list[int]:
    """The first indices of evaluation clips: the middle one, or several from start to end.

    Here the length of a clip is `num_frames * stride`, while a training clip ends with its last
    frame; both are as in the public implementations of these models.
    """
    last = max(0, timeline_length - num_frames * stride)
    if num_clips == 1:
        return [last // 2]
    return [int(offset) for offset in np.linspace(0, last, num_clips)]


def resized_size(height: int, width: int, *, resize: int, crop: tuple[int, int]) -> tuple[int, int]:
    """(height, width) after resizing the shorter side to `resize`; the longer one is rounded down.

    If `crop` does not fit, the frame is enlarged until it does.
    """
    short = min(height, width)
    if crop[0] * short > height * resize or crop[1] * short > width * resize:
        scale = max(crop[0] / height, crop[1] / width)
        return max(crop[0], int(height * scale)), max(crop[1], int(width * scale))
    return height * resize // short, width * resize // short


def random_crop(
    rng: np.random.Generator,
    height: int,
    width: int,
    *,
    resize: int,
    crop: tuple[int, int],
    scale_jitter: Sequence[float | int] | None = None,
    flipped: bool = False,
) -> Crop:
    """A random `crop` of the resized frame, as a box of the original one.

    `scale_jitter` samples separate factors for height and width, which changes the aspect ratio. A
    side that becomes too short is as long as the crop. The box starts at even pixels, since chroma
    is stored for blocks of 2 x 2; its size is rounded to whole pixels.
    """
    resized = resized_size(height, width, resize=resize, crop=crop)
    if scale_jitter is not None:
        low, high = scale_jitter
        factors = rng.uniform(low, high, size=2)
        resized = tuple(int(side * factor) for side, factor in zip(resized, factors, strict=True))
    top, rows = _random_span(rng, height, resized=max(resized[0], crop[0]), kept=crop[0])
    left, columns = _random_span(rng, width, resized=max(resized[1], crop[1]), kept=crop[1])
    return Crop(top, left, rows, columns, crop[0], crop[1], flipped)


def _random_span(
    rng: np.random.Generator, length: int, *, resized: int, kept: int
) -> tuple[int, int]:
    """Start and size of a random span of `kept` out of `resized` pixels, scaled to `length`."""
    pixels = length / resized
    start = int(rng.integers(resized - kept + 1) * pixels) // 2 * 2
    return start, min(length - start, max(1, round(kept * pixels)))


def random_area_crop(
    rng: np.random.Generator,
    height: int,
    width: int,
    *,
    area: Sequence[float | int],
    crop: tuple[int, int],
    flipped: bool = False,
) -> Crop:
    """A random box of a frame, scaled to `crop` regardless of its shape.

    Its share of the area is uniform over `area`, and its width / height log-uniform over
    `BOX_ASPECTS`, as in Szegedy et al., Going Deeper with Convolutions (2015), section 6. A box
    that does not fit is sampled again; after ten attempts it is the largest central box with an
    allowed aspect ratio. The box starts at even pixels, since chroma is stored for blocks of 2 x 2.
    """
    smallest, largest = area
    narrowest, widest = map(math.log, BOX_ASPECTS)
    for _ in range(BOX_ATTEMPTS):
        pixels = rng.uniform(smallest, largest) * height * width
        aspect = math.exp(rng.uniform(narrowest, widest))
        rows = max(1, round(math.sqrt(pixels / aspect)))
        columns = max(1, round(math.sqrt(pixels * aspect)))
        if rows <= height and columns <= width:
            top = int(rng.integers(height - rows + 1)) // 2 * 2
            left = int(rng.integers(width - columns + 1)) // 2 * 2
            return Crop(top, left, rows, columns, *crop, flipped)
    aspect = min(max(width / height, BOX_ASPECTS[0]), BOX_ASPECTS[1])
    rows = min(height, max(1, round(width / aspect)))
    columns = min(width, max(1, round(height * aspect)))
    top, left = (height - rows) // 4 * 2, (width - columns) // 4 * 2
    return Crop(top, left, rows, columns, *crop, flipped)


def whole_frame(height: int, width: int, *, resize: int, crop: tuple[int, int]) -> Crop:
    """The whole frame at its resized size, from which views are cropped at `view_corners`."""
    return Crop(0, 0, height, width, *resized_size(height, width, resize=resize, crop=crop))


def view_corners(
    height: int, width: int, *, crop: tuple[int, int], num_crops: int
) -> list[tuple[int, int]]:
    """(top, left) of the evaluation crops of a resized frame.

    One: the centre. Three: left, centre, right of a wide frame, or top, centre, bottom of a tall
    one. An odd remainder of pixels is larger at the top and left.
    """
    bottom, right = height - crop[0], width - crop[1]
    top, left = -(-bottom // 2), -(-right // 2)
    if num_crops == 1:
        return [(top, left)]
    if num_crops != 3:
        raise UserError(f"The number of crops must be 1 or 3; got {num_crops}.")
    if height > width:
        return [(0, left), (top, left), (bottom, left)]
    return [(top, 0), (top, left), (top, right)]
