"""Which files a run was trained on, so that it is told when others lie in their place.

A file is known by its size and the time it was written, and some of them by their content: files
that were copied anew have other times, and are the same.
"""

import dataclasses
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.atomic_files import replacing
from scenic_video.data.decoding.content import content_of
from scenic_video.data.examples import Example
from scenic_video.data.sources.fingerprint import StoredExamples

MOST_CONTENTS = 256
NUM_THREADS = 32
"""They wait for the file system, most of the time."""
GONE = -1


@dataclasses.dataclass(frozen=True)
class FileRecord:
    """`sizes` [n] and `times` [n] (ns) of files, -1 for one that is not there.

    `contents` [k] are those of the files at positions `sample` [k], "" where one cannot be read.
    """

    sizes: np.ndarray
    times: np.ndarray
    sample: np.ndarray
    contents: np.ndarray

    @classmethod
    def of(cls, files: Sequence[str]) -> "FileRecord":
        """Looks at every file once, and into `MOST_CONTENTS` of them."""
        order = np.random.default_rng(0).permutation(len(files))
        sample = np.sort(order[:MOST_CONTENTS])
        sizes, times = _stats(files)
        contents = _each(_content, [files[int(position)] for position in sample])
        return cls(sizes, times, sample, np.array(contents, "U64"))

    def save(self, path: Path) -> None:
        with replacing(path) as scratch, scratch.open("wb") as file:
            np.savez_compressed(file, **vars(self))

    @classmethod
    def load(cls, path: Path) -> "FileRecord | None":
        """None where there is none, or one that is damaged."""
        try:
            with np.load(path) as arrays:
                return cls(**arrays)
        except (FileNotFoundError, ValueError, TypeError, EOFError, zipfile.BadZipFile):
            return None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Positions of files with other content than recorded, of those only written at another time,
    and how many of these were found to have the same content. `now` is what to record."""

    replaced: Sequence[int]
    rewritten: Sequence[int]
    num_same: int
    now: FileRecord


def compare(record: FileRecord, files: Sequence[str]) -> Comparison | None:
    """How `files` differ from those recorded; None where they are of another number.

    A file that is gone, or was then, is not compared. Contents are read of those alone that were
    written at another time.
    """
    if len(files) != len(record.sizes):
        return None
    sizes, times = _stats(files)
    both = (sizes != GONE) & (record.sizes != GONE)
    resized = both & (sizes != record.sizes)
    rewritten = both & ~resized & (times != record.times)
    known = [index for index, position in enumerate(record.sample) if rewritten[position]]
    contents = _each(_content, [files[int(record.sample[index])] for index in known])
    others = [
        int(record.sample[index])
        for index, content in zip(known, contents, strict=True)
        if content and record.contents[index] and content != record.contents[index]
    ]
    return Comparison(
        replaced=sorted({*np.flatnonzero(resized).tolist(), *others}),
        rewritten=np.flatnonzero(rewritten).tolist(),
        num_same=len(known) - len(others),
        now=dataclasses.replace(record, times=np.where(both, times, record.times)),
    )


def files_of(splits: Mapping[str, Sequence[Example]]) -> list[str]:
    """The video files of all splits, each once, in their order; without splits of records."""
    files: dict[str, None] = {}
    for name in sorted(splits):
        if not isinstance(splits[name], StoredExamples):
            files.update((one.video, None) for one in splits[name] if isinstance(one.video, str))
    return list(files)


def _stats(files: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    found = np.array(_each(_stat, files), np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _stat(file: str) -> tuple[int, int]:
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return GONE, GONE
    return found.st_size, found.st_mtime_ns


def _content(file: str) -> str:
    try:
        return content_of(file)
    except (OSError, ValueError):
        return ""


def _each(look: Callable[[str], Any], files: Sequence[str]) -> list[Any]:
    def look_at(some: Sequence[str]) -> list[Any]:
        return [look(file) for file in some]

    share = -(-len(files) // (4 * NUM_THREADS)) or 1
    parts = [files[start : start + share] for start in range(0, len(files), share)]
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        return [found for part in pool.map(look_at, parts) for found in part]
