"""The sizes of a model's inputs, by the lengths of its tables of positions.

A table has one entry per token, and does not show how many tokens there are along each axis. Grids
of images are taken as square.
"""

import math
from collections.abc import Sequence

PUBLIC_SIDE = 224
PUBLIC_PATCHES = (14, 16, 32)
"""Pixels of the inputs of public models, and of their patches."""
PUBLIC_BINS = 128
"""Mel bins of the spectrograms of public models."""


def square_side(places: int) -> int | None:
    """Tokens along the side of a square of `places` tokens; None if they are not one."""
    side = math.isqrt(places)
    return side if side > 0 and side**2 == places else None


def image_size(places: int, patch: Sequence[int]) -> tuple[int, int] | None:
    """(rows, columns) in pixels of an image of `places` patches (h, w), if they are a square."""
    side = square_side(places)
    return None if side is None else (side * patch[0], side * patch[1])


def clip_size(places: int, tubelet: Sequence[int]) -> tuple[int, int, int] | None:
    """(frames, rows, columns) of a clip of `places` tubelets (t, h, w), if these are of a public
    size and fill frames of 224 x 224 pixels; None if they do not."""
    time, *patch = tubelet
    if patch[0] != patch[1] or patch[0] not in PUBLIC_PATCHES:
        return None
    steps, left = divmod(places, (PUBLIC_SIDE // patch[0]) ** 2)
    return None if left or not steps else (steps * time, PUBLIC_SIDE, PUBLIC_SIDE)


def spectrogram_size(places: int, patch: Sequence[int]) -> tuple[int, int] | None:
    """(columns, mel bins) of a spectrogram of `places` patches (t, f), if these are of a public
    size and fill columns of 128 bins; None if they do not."""
    if patch[1] not in PUBLIC_PATCHES:
        return None
    steps, left = divmod(places, PUBLIC_BINS // patch[1])
    return None if left or not steps else (steps * patch[0], PUBLIC_BINS)


def frames_of_patches(places: int, patch: Sequence[int]) -> int | None:
    """The frames of square images in `places` patches (h, w): 1 if these are a square, else those
    of 224 x 224 pixels if that fits, else as few as possible. None if there are no two or more."""
    if square_side(places):
        return 1
    if known := clip_size(places, (1, *patch)):
        return known[0]
    counts = (t for t in range(2, places // 4 + 1) if places % t == 0 and square_side(places // t))
    return next(counts, None)
