"""Collects the frames of a clip from the decoder, and replaces lost ones."""

from collections.abc import Callable

import av
import numpy as np
from jaxtyping import Int, UInt8

Convert = Callable[[av.VideoFrame], UInt8[np.ndarray, "height width 3"]]


class SelectedFrames:
    """Frames as rows of `array`; `missing` maps the keys of missing ones to rows."""

    def __init__(self, keys: Int[np.ndarray, "n"], convert: Convert):
        self.missing = {key: row for row, key in enumerate(keys.tolist())}
        self.array: UInt8[np.ndarray, "n height width 3"] | None = None
        self._convert = convert
        self.num_corrupt = self.num_replaced = 0
        """Frames decoded with errors, and lost frames that were replaced."""

    @property
    def missing_keys(self) -> Int[np.ndarray, "n"]:
        """Sorted."""
        return np.array(list(self.missing), int)

    def put(self, key: int, frame: av.VideoFrame) -> None:
        pixels = self._convert(frame)
        self.num_corrupt += frame.is_corrupt
        if self.array is None:
            self.array = np.empty((len(self.missing), *pixels.shape), np.uint8)
        self.array[self.missing.pop(key)] = pixels

    def put_gaps(self, until: int | None, frame: av.VideoFrame) -> None:
        """Puts `frame` in place of every missing one before the key `until`."""
        for key in list(self.missing):
            if until is not None and key >= until:
                return
            self.put(key, frame)
            self.num_replaced += 1
