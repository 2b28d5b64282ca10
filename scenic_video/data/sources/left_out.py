"""Counts and names the files in class folders that are not examples."""

import itertools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from scenic_video.printable import printable

MOST_COUNTED = 1000
"""Files counted below a folder, so that a million files are not listed."""
MOST_NAMED = 3


class LeftOut:
    """Collects the files that are skipped below `directory`; `remarks` describes them."""

    def __init__(self, directory: Path, suffixes: Sequence[str]):
        self._directory = directory
        self._suffixes = tuple(suffixes)
        self._loose: list[str] = []
        self._hidden: list[str] = []
        self._deeper: list[str] = []
        self._empty: list[str] = []
        self._other: Counter[str] = Counter()
        self._num_deeper = 0

    def is_wanted(self, path: Path) -> bool:
        return path.suffix.lower() in self._suffixes

    def loose(self, path: Path) -> None:
        """Adds a file beside the class folders."""
        if self.is_wanted(path) and not path.name.startswith("."):
            self._loose.append(self._name(path))

    def in_class(self, path: Path, *, is_folder: bool) -> None:
        """Adds a file or folder in a class folder that is not an example."""
        if is_folder:
            self._folder(path)
        elif path.name.startswith("."):
            if self.is_wanted(path):
                self._hidden.append(self._name(path))
        elif not self.is_wanted(path):
            self._other[path.suffix.lower() or "none"] += 1

    def empty(self, folder: Path) -> None:
        """Adds a class folder without examples."""
        self._empty.append(self._name(folder))

    def remarks(self) -> list[str]:
        return [
            f"left out: {words}"
            for count, words in (
                (self._num_deeper, self._words_for_deeper()),
                (self._other.total(), self._words_for_suffixes()),
                (len(self._hidden), f"{_files(len(self._hidden))} hidden ({_few(self._hidden)})"),
                (
                    len(self._loose),
                    f"{_files(len(self._loose))} beside the class folders ({_few(self._loose)})",
                ),
                (
                    len(self._empty),
                    f"{_classes(len(self._empty))} without files ({_few(self._empty)})",
                ),
            )
            if count
        ]

    def _folder(self, folder: Path) -> None:
        if folder.name.startswith("."):
            return
        found = sum(1 for _ in itertools.islice(self._below(folder), MOST_COUNTED))
        if found:
            self._num_deeper += found
            self._deeper.append(self._name(folder))

    def _below(self, folder: Path) -> Iterator[str]:
        for _, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from (name for name in names if self.is_wanted(Path(name)) and name[0] != ".")

    def _words_for_deeper(self) -> str:
        many = "more than " if self._num_deeper >= MOST_COUNTED else ""
        return f"{many}{_files(self._num_deeper)} in deeper folders ({_few(self._deeper)})"

    def _words_for_suffixes(self) -> str:
        suffixes = " ".join(sorted(self._other))
        return f"{_files(self._other.total())} with other suffixes ({suffixes})"

    def _name(self, path: Path) -> str:
        return printable(path.relative_to(self._directory).as_posix())


def _files(count: int) -> str:
    return f"{count} file{'s' if count > 1 else ''}"


def _classes(count: int) -> str:
    return f"{count} class folder{'s' if count > 1 else ''}"


def _few(names: Sequence[str]) -> str:
    return ", ".join([*names[:MOST_NAMED], *(["..."] if len(names) > MOST_NAMED else [])])
