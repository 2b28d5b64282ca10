"""The base class of modalities, from the file to the device."""

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import UInt8

from scenic_video.data.decoding.video_info import VideoInfo
from scenic_video.data.examples import Dataset, Example
from scenic_video.data.input.window import Window

Arrays = Mapping[str, Any]
"""Arrays of a batch by name, [b, ...], on the device."""

Augment = Callable[..., Any]
"""(values [b, ...], **known) -> values, augmented in training; see `transforms.augmentation`."""


@dataclasses.dataclass(frozen=True)
class Modality(abc.ABC):
    """The base of a modality. To add one, write a class derived from it, and name it in a config:

        preprocessing=dict(modalities=("rgb", "depth"), depth=dict(target="my_package:Depth"))

    The model is then called with the keyword `depth`. A class must define `read`, `blank`,
    `input_size` and `on_device`; it is a frozen dataclass whose fields, numbers and strings, are
    those of its node. Import JAX only inside `on_device` and `present`, so that decoding
    processes do not load it.
    """

    channels: ClassVar[int] = 1
    """Channels of the model's input, its last axis."""

    letter: ClassVar[str] = ""
    """Its abbreviation in the table of `eval --modalities`; by default its initial."""

    in_records: ClassVar[bool] = False
    """Whether it is part of the encoded video, which is what `data build` stores."""

    can_be_absent: ClassVar[bool] = False
    """Whether an example may lack it; `present` states which do."""

    absence: ClassVar[str] = ""
    """What counts as absent, as the end of a sentence."""

    stream: ClassVar[int | None] = None
    """Folded into the key of its augmentations; modalities with the same value get the same random
    numbers. It is 2**31 or more, since smaller values are indices of examples."""

    title: ClassVar[str] = ""
    """Its title in reports; by default its name."""

    remedy: ClassVar[str] = ""
    """What an example without it needs, as a clause: "`scenic-video data flow` computes it"."""

    path_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that are paths, which may change when a run is resumed."""

    @abc.abstractmethod
    def read(self, window: Window) -> dict[str, np.ndarray]:
        """The arrays [v, ...] of all views of an example, by names that no other modality uses.

        `Window.views_of_frames` and `Window.views_of_clips` add the axis of views. Errors:
        UnreadableVideo if a file cannot be read or does not cover these times.
        """

    @abc.abstractmethod
    def blank(self, clip_shape: tuple[int, int, int], *leading: int) -> dict[str, np.ndarray]:
        """Zeros like the arrays of `read` for one clip, with axes of sizes `leading` in front.

        `clip_shape` is (frames, rows, columns).
        """

    @abc.abstractmethod
    def input_size(self, clip_shape: tuple[int, int, int]) -> tuple[int, ...]:
        """The shape of the model's input without batch and channels, such as `clip_shape`."""

    def is_stored(self, example: Example) -> bool:
        """Whether the example has separate files of it, such as beside its video. False if it is
        read from the video itself."""
        return False

    def check(self, example: Example, info: VideoInfo) -> None:
        """Checks the files of an example that `is_stored`, for `data check`.

        `info` describes its video. Errors: UnreadableVideo.
        """
        return None

    def with_statistics(
        self, dataset: Dataset, *, split: str, command: Callable[[Any], str]
    ) -> "Modality":
        """This modality with the statistics of a split of `dataset`, if it is normalised by them.

        `command(self)` is the command that computes them. Errors: UserError if there are none.
        """
        return self

    @abc.abstractmethod
    def on_device(self, arrays: Arrays, augment: Augment) -> Any:
        """The model's input, float32 [b, ...], computed from the arrays of `read`.

        Call `augment` once, with values in the range that its augmentations expect.
        """

    def present(self, arrays: Arrays) -> Any:
        """float32 [b]: 1 for examples that have it, 0 for those that lack it.

        Called only if it `can_be_absent`; also with NumPy arrays, with any number of leading axes.
        """
        raise NotImplementedError

    def to_rgb(self, arrays: Mapping[str, np.ndarray]) -> UInt8[np.ndarray, "t h w 3"] | None:
        """One view as RGB frames for the report; None if it cannot be shown."""
        return None

    def summary(self) -> str:
        """What `--dry-run` prints about it after the frames of a clip; "" for nothing."""
        return ""
