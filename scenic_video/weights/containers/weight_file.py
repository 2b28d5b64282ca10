"""What was read from a file of weights: arrays by name, which are loaded when they are used."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from scenic_video import disk_errors
from scenic_video.errors import UserError


class Malformed(Exception):
    """What is wrong with a file, without its name."""


@dataclasses.dataclass(frozen=True)
class StoredArray:
    """An array on disk: its shape and dtype are known, `load` reads its values."""

    shape: tuple[int, ...]
    dtype: np.dtype
    load: Callable[[], np.ndarray] = dataclasses.field(repr=False, compare=False)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize


Arrays = Mapping[str, StoredArray]


@dataclasses.dataclass(frozen=True)
class WeightFile:
    """The arrays of a file, and what else it states.

    `shapes` has `.shape` and `.dtype` of each array and reads no values. Names are paths
    "a/b/kernel" for containers of Flax, and the library's own dotted names for those of PyTorch.
    `notes` state, one sentence each, which part of the file was taken and what was left out.
    """

    location: str
    container: str
    shapes: Arrays
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def leaves(self) -> "Leaves":
        """The arrays by name; each access reads the array, which may be mapped from the file and
        cannot be written to. Errors: UserError for one that cannot be read."""
        return Leaves(self)


class Leaves(Mapping[str, np.ndarray]):
    """The arrays of a file by name, each read when it is accessed."""

    def __init__(self, file: WeightFile):
        self._file = file

    def __getitem__(self, name: str) -> np.ndarray:
        stored = self._file.shapes[name]
        with explained(self._file.location, self._file.container, f"its array {name!r}: "):
            return stored.load()

    def __contains__(self, name: object) -> bool:
        return name in self._file.shapes

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.shapes)

    def __len__(self) -> int:
        return len(self._file.shapes)


class explained:
    """Turns any error of a parser into a UserError with the name of the file and what it is.

    Files from elsewhere can make a parser fail in any way, so every Exception is caught. Without a
    `container` the file is of no known format.
    """

    def __init__(self, location: str, container: str = "", where: str = ""):
        known = f" looks like {container}, but " if container else " cannot be read as weights: "
        self._start = f"{location}{known}{where}"

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if not isinstance(error, Exception) or isinstance(error, UserError):
            return
        if isinstance(error, Malformed):
            raise UserError(f"{self._start}{error}.") from error
        if isinstance(error, OSError):
            raise UserError(f"{self._start}{disk_errors.describe(error)}") from error
        reason = " ".join(str(error).split())[:200]
        cause = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
        raise UserError(f"{self._start}it is damaged ({cause}).") from error
