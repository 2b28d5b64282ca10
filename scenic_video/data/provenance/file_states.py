"""The states of many files, to find those that were replaced later.

A file's state is its size and the time it was written, and for some of them a hash of the content:
copying a file changes its time, but it stays the same file.
"""

import dataclasses
import os
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.atomic_files import replacing
from scenic_video.data.provenance.content import content_of

MOST_CONTENTS = 256
NUM_THREADS = 32
"""More than cores, since they mostly wait for the file system."""
MISSING = -1
"""The size and time of a file that does not exist."""


@dataclasses.dataclass(frozen=True)
class FileStates:
    """`sizes` [n] (bytes) and `times` [n] (ns) of files, `MISSING` for one that does not exist.

    `contents` [k] are hashes of the files at positions `sample` [k], "" for one that is unreadable.
    """

    sizes: np.ndarray
    times: np.ndarray
    sample: np.ndarray
    contents: np.ndarray

    @classmethod
    def of(cls, files: Sequence[str]) -> "FileStates":
        """Hashes the content of at most `MOST_CONTENTS` files, chosen at random."""
        order = np.random.default_rng(0).permutation(len(files))
        sample = np.sort(order[:MOST_CONTENTS])
        sizes, times = _stats(files)
        contents = _each(_content, [files[int(position)] for position in sample])
        return cls(sizes, times, sample, np.array(contents, "U64"))

    def save(self, path: Path) -> None:
        with replacing(path) as scratch, scratch.open("wb") as file:
            np.savez_compressed(file, **vars(self))

    @classmethod
    def load(cls, path: Path) -> "FileStates | None":
        """None if the file does not exist or is damaged."""
        try:
            with np.load(path) as arrays:
                return cls(**arrays)
        except (FileNotFoundError, ValueError, TypeError, EOFError, zipfile.BadZipFile):
            return None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How files differ from earlier states: their positions in the list of files.

    `replaced` have another size or content, `rewritten` another time. Of the latter, `num_same`
    have the same content as before. `now` is the states with the present times.
    """

    replaced: Sequence[int]
    rewritten: Sequence[int]
    num_same: int
    now: FileStates


def compare(earlier: FileStates, files: Sequence[str]) -> Comparison | None:
    """How `files` differ from their earlier states; None if there were more or fewer files.

    A file that is missing, or was, is not compared. Only files with another time are read.
    """
    if len(files) != len(earlier.sizes):
        return None
    sizes, times = _stats(files)
    both = (sizes != MISSING) & (earlier.sizes != MISSING)
    resized = both & (sizes != earlier.sizes)
    rewritten = both & ~resized & (times != earlier.times)
    known = [index for index, position in enumerate(earlier.sample) if rewritten[position]]
    contents = _each(_content, [files[int(earlier.sample[index])] for index in known])
    others = [
        int(earlier.sample[index])
        for index, content in zip(known, contents, strict=True)
        if content and earlier.contents[index] and content != earlier.contents[index]
    ]
    return Comparison(
        replaced=sorted({*np.flatnonzero(resized).tolist(), *others}),
        rewritten=np.flatnonzero(rewritten).tolist(),
        num_same=len(known) - len(others),
        now=dataclasses.replace(earlier, times=np.where(both, times, earlier.times)),
    )


def _stats(files: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    found = np.array(_each(_stat, files), np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _stat(file: str) -> tuple[int, int]:
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return MISSING, MISSING
    return found.st_size, found.st_mtime_ns


def _content(file: str) -> str:
    try:
        return content_of(file)
    except (OSError, ValueError):
        return ""


def _each(function: Callable[[str], Any], files: Sequence[str]) -> list[Any]:
    def apply(part: Sequence[str]) -> list[Any]:
        return [function(file) for file in part]

    share = -(-len(files) // (4 * NUM_THREADS)) or 1
    parts = [files[start : start + share] for start in range(0, len(files), share)]
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        return [found for part in pool.map(apply, parts) for found in part]
