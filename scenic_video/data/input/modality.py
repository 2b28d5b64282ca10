"""What the input, and the check of a dataset, ask of a modality; none of it takes JAX."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from scenic_video.data.decoding.video_reader import VideoInfo
from scenic_video.data.examples import Example
from scenic_video.data.input.window import Window

Inputs = dict[str, np.ndarray]
"""What one example gives a batch, by name."""


class HostModality(Protocol):
    """The part of a modality on the host; see `scenic_video.modalities.modality.Modality`."""

    in_records: ClassVar[bool]

    def read(self, window: Window) -> Mapping[str, np.ndarray]: ...

    def blank(self, clip_shape: tuple[int, int, int], *leading: int) -> Mapping[str, np.ndarray]: ...

    def input_size(self, clip_shape: tuple[int, int, int]) -> tuple[int, ...]: ...

    def is_stored(self, example: Example) -> bool: ...

    def check(self, example: Example, info: VideoInfo) -> None: ...


Modalities = Mapping[str, Any]
"""`HostModality` by name, in the order in which they are read."""
