"""The settings of a directory of synthetic clips, which all of its clips share."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Interval

from scenic_video.config import check_fields, refuse_unknown, require
from scenic_video.errors import UserError
from scenic_video.field_types import (
    INT32_MAX,
    InnerShare,
    NonNegative,
    PositiveInt,
    Seconds,
    Seed,
)

SPLITS = ("train", "test")
SETTINGS_FILE = "synthetic.json"
GENERATOR = 1
"""Increased when the same settings give different clips."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of the clips of a directory; the same settings give the same bytes.

    `num_clips` is the number of all clips, of which the share `test_fraction` is for testing.
    `size` is height and width in pixels, even. `noise` is the standard deviation of pixel noise, in
    [0, 255]. A clip has at most `max_distractors` (0 to 4) static objects.
    """

    num_clips: Annotated[int, Interval(ge=2, le=INT32_MAX)]
    seed: Seed = 0
    size: PositiveInt = 72
    frame_rate: PositiveInt = 12
    seconds: Seconds = 1.75
    noise: NonNegative = 5.0
    max_distractors: Annotated[int, Interval(ge=0, le=4)] = 2
    test_fraction: InnerShare = 0.2

    def __post_init__(self):
        check_fields(self)
        wanted = {
            "size >= 16 and even": self.size >= 16 and self.size % 2 == 0,
            "seconds long enough for 2 frames": self.num_frames >= 2,
        }
        require(wanted, of=self)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Settings":
        """Raises UserError for a name that is no field."""
        known = [field.name for field in dataclasses.fields(cls)]
        refuse_unknown(fields, known, of="Settings of synthetic clips")
        if "num_clips" not in fields:
            raise UserError("Synthetic clips need num_clips: how many there should be.")
        return cls(**fields)

    @property
    def num_frames(self) -> int:
        return round(self.seconds * self.frame_rate)

    @property
    def num_test(self) -> int:
        return min(max(1, round(self.num_clips * self.test_fraction)), self.num_clips - 1)

    @property
    def split_sizes(self) -> dict[str, int]:
        return {"train": self.num_clips - self.num_test, "test": self.num_test}
