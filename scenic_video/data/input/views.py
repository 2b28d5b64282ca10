"""Multi-view testing: the numbers of clips and crops of a video."""

import dataclasses
import re

from scenic_video.errors import UserError


@dataclasses.dataclass(frozen=True)
class Views:
    """`num_clips` clips spread over a video with `num_crops` crops each, written 4x3.

    ViViT, section 4.1, and most later papers test with 4x3 or 10x3.
    """

    num_clips: int = 1
    num_crops: int = 1

    @classmethod
    def parse(cls, text: str) -> "Views":
        """Parses "4x3"."""
        match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text.strip())
        if match is None:
            raise UserError(f"Views are clips x crops, such as 4x3; got {text!r}.")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.num_clips}x{self.num_crops}"
