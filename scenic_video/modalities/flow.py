"""Optical flow, kept in a file beside each video; see `scenic_video.data.flow`."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from scenic_video.data.decoding.video_info import VideoInfo
from scenic_video.data.examples import Example
from scenic_video.data.flow.reading import STILL, check_flow, has_flow, read_flow
from scenic_video.data.input.window import Window
from scenic_video.modalities.modality import Arrays, Augment, Modality


@dataclasses.dataclass(frozen=True)
class Flow(Modality):
    """uint8 "flow" [t, h, w, 2] of the frames of a clip; a model gets [-1, 1], 0 for no motion.

    Files are in `folder`, if it is given and contains them, else beside the videos.
    """

    folder: str | None = None

    channels = 2
    letter = "F"
    title = "optical flow"
    remedy = "`scenic-video data flow` computes it"
    path_fields = ("folder",)

    def read(self, window: Window) -> dict[str, np.ndarray]:
        pixels = read_flow(window.example, window.times, window.crop, self.folder)
        return {"flow": window.views_of_frames(pixels)}

    def blank(self, clip_shape: tuple[int, int, int], *leading: int) -> dict[str, np.ndarray]:
        return {"flow": np.zeros((*leading, *clip_shape, 2), np.uint8)}

    def input_size(self, clip_shape: tuple[int, int, int]) -> tuple[int, ...]:
        return clip_shape

    def is_stored(self, example: Example) -> bool:
        return has_flow(example)

    def check(self, example: Example, info: VideoInfo) -> None:
        check_flow(example, info.timestamps)

    def on_device(self, arrays: Arrays, augment: Augment) -> Any:
        import jax.numpy as jnp

        return augment((jnp.asarray(arrays["flow"], jnp.float32) - STILL) / 127)

    def to_rgb(self, arrays: Mapping[str, np.ndarray]) -> UInt8[np.ndarray, "t h w 3"]:
        """As stored: red is motion to the right, green downwards."""
        return np.pad(arrays["flow"], [(0, 0)] * 3 + [(0, 1)], constant_values=STILL)
