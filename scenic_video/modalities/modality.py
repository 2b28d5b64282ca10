"""What a modality is: one class, from the file to the device."""

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import UInt8

from scenic_video.data.decoding.video_reader import VideoInfo
from scenic_video.data.examples import Dataset, Example
from scenic_video.data.input.window import Window

Arrays = Mapping[str, Any]
"""Arrays of a batch by name, [b, ...], on the device."""

Augment = Callable[..., Any]
"""(values [b, ...], **known) -> the same, augmented in training; see `transforms.augmentation`."""


@dataclasses.dataclass(frozen=True)
class Modality(abc.ABC):
    """The base of a modality. One file with a class derived from it, and a config, add another:

        preprocessing=dict(modalities=("rgb", "depth"), depth=dict(target="my_package:Depth"))

    The model then has a keyword `depth`. A class must define `read`, `blank`, `input_size` and
    `on_device`; it is a frozen dataclass whose fields are those of its node, numbers and texts.
    JAX is imported within `on_device` and `present` alone, so that processes that decode stay
    without it.
    """

    letter: ClassVar[str] = ""
    """What stands for it in the names of rows of `eval --modalities`; by default its initial."""

    in_records: ClassVar[bool] = False
    """Whether the encoded video holds it, which is what `data build` stores."""

    can_be_absent: ClassVar[bool] = False
    """Whether an example may lack it, as `present` says."""

    absence: ClassVar[str] = ""
    """What counts as absent, as the end of a sentence."""

    stream: ClassVar[int | None] = None
    """Folded into the key of its augmentations; those with the same number draw the same numbers.
    Keys of examples are counted, so it is 2**31 or more."""

    title: ClassVar[str] = ""
    """What it is called in reports; by default by its name."""

    remedy: ClassVar[str] = ""
    """What an example without it needs, as a clause: "`scenic-video data flow` computes it"."""

    places: ClassVar[tuple[str, ...]] = ()
    """Fields that say where files are, and may differ where a run is resumed."""

    @abc.abstractmethod
    def read(self, window: Window) -> dict[str, np.ndarray]:
        """The arrays [v, ...] of all views of an example, by names that no other modality has.

        `Window.views_of_frames` and `Window.views_of_clips` give the axis of views. Errors:
        UnreadableVideo where a file cannot be read or does not hold these times.
        """

    @abc.abstractmethod
    def blank(self, clip_shape: tuple[int, int, int], *leading: int) -> dict[str, np.ndarray]:
        """Zeros of the shapes and types that `read` gives of a clip, behind the axes `leading`.

        `clip_shape` is (frames, rows, columns).
        """

    @abc.abstractmethod
    def input_size(self, clip_shape: tuple[int, int, int]) -> tuple[int, ...]:
        """The shape of a model's input without batch and channels, such as `clip_shape`."""

    def is_stored(self, example: Example) -> bool:
        """Whether an example names files of it, or has some beside its video. False if the video
        itself is all that it is read from."""
        return False

    def check(self, example: Example, info: VideoInfo) -> None:
        """Looks at the files of an example that `is_stored`, for `data check`.

        `info` is of its video. Errors: UnreadableVideo.
        """
        return None

    def with_statistics(
        self, dataset: Dataset, *, split: str, command: Callable[[Any], str]
    ) -> "Modality":
        """This, with what was measured of a split of `dataset`, where it normalises by that.

        `command(self)` is the command that measures it. Errors: UserError where nothing was.
        """
        return self

    @abc.abstractmethod
    def on_device(self, arrays: Arrays, augment: Augment) -> Any:
        """float32 [b, ...], what a model is called with, from what `read` gave.

        `augment` is called once, with values that augmentations of this modality are made for.
        """

    def present(self, arrays: Arrays) -> Any:
        """float32 [b], 1 where an example has it and 0 where it lacks it.

        Asked only where it `can_be_absent`; also of NumPy arrays, with any number of leading axes.
        """
        raise NotImplementedError

    def picture(self, arrays: Mapping[str, np.ndarray]) -> UInt8[np.ndarray, "t h w 3"] | None:
        """One view of what `read` gave, drawn for a report; None where it cannot be."""
        return None

    def summary(self) -> str:
        """What `--dry-run` says of it beside the frames of a clip; "" for nothing."""
        return ""
