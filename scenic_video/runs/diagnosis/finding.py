"""The result of one check of a run."""

import dataclasses
import math

from scenic_video.printable import printable


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a check found; `advice` says what to do about a fault, and is "" if there is none."""

    check: str
    finding: str
    advice: str = ""

    @property
    def is_fault(self) -> bool:
        return bool(self.advice)

    @property
    def row(self) -> tuple[str, str, str]:
        """The cells of a table: check, finding, what to do."""
        return self.check, printable(self.finding), self.advice or "-"


def is_higher(accuracy: float, than: float, *, number: int) -> bool:
    """Whether one of two accuracies on `number` examples is higher beyond their noise: by three
    standard deviations, and by 5 points at least."""
    share = (than * number + 1) / (number + 2)
    return accuracy - than >= max(0.05, 3 * math.sqrt(share * (1 - share) / max(number, 1)))
