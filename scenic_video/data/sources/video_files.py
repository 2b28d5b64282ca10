"""Finds the files that annotations name, and reports missing ones."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from scenic_video.data.sources.manifest import Row
from scenic_video.errors import UserError
from scenic_video.printable import printable

VIDEO_SUFFIXES = tuple(
    ".mp4 .webm .mkv .mov .avi .m4v .mpg .mpeg .ts .wmv .mts .m2ts .3gp .flv .ogv .vob .mxf "
    ".gif".split()
)
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
"""Images are videos of one frame."""

Root = str | Mapping[str, str]
"""The folder of the files, or one per split: {"train": "videos/train", ...}."""

Missing = Literal["raise", "skip"]
"""What is done about files that a list names and that do not exist."""


class VideoFiles:
    """The files below `root`. Each folder is listed only once."""

    def __init__(self, root: Root, *, suffixes: Sequence[str] = VIDEO_SUFFIXES):
        self._root = root
        self._suffixes = [case for suffix in suffixes for case in (suffix, suffix.upper())]
        self._listings: dict[str, frozenset[str]] = {}

    def root(self, split: str) -> Path:
        """The folder of a split. Errors: UserError if none is given."""
        if isinstance(self._root, Mapping) and split not in self._root:
            raise UserError(
                f"`root` has folders for {', '.join(self._root)}, but not for {split!r}."
            )
        root = self._root[split] if isinstance(self._root, Mapping) else self._root
        return Path(root).expanduser()

    def find(self, split: str, stems: Iterable[str]) -> str:
        """The first of `stems` (paths without suffix) that is a file with one of the suffixes.

        If there is none, the path that the first of them would have.
        """
        bases = [str(self.root(split) / stem) for stem in stems]
        candidates = (base + suffix for base in bases for suffix in self._suffixes)
        return next(filter(self.exists, candidates), bases[0] + self._suffixes[0])

    def exists(self, path: str) -> bool:
        folder, name = os.path.split(path)
        if folder not in self._listings:
            try:
                self._listings[folder] = frozenset(os.listdir(folder or "."))
            except (FileNotFoundError, NotADirectoryError):
                self._listings[folder] = frozenset()
        return name in self._listings[folder]


def present(
    rows: Mapping[str, Sequence[Row]], files: VideoFiles, *, missing: Missing
) -> tuple[dict[str, list[Row]], list[str]]:
    """The rows whose files exist, and a remark for each split with missing ones.

    With `missing="raise"` missing files are an error that counts them; "skip" leaves them out. A
    split without any file is always an error.
    """
    kept, remarks = {}, []
    for split, all_rows in rows.items():
        kept[split] = [row for row in all_rows if files.exists(row.path)]
        absent = [row for row in all_rows if not files.exists(row.path)]
        if absent:
            words = _count(split, absent, len(all_rows))
            if missing == "raise" or not kept[split]:
                raise UserError(_advice(words, is_whole_split=not kept[split]))
            remarks.append(f"left out: {printable(words)}")
    return kept, remarks


def _count(split: str, absent: Sequence[Row], total: int) -> str:
    paths = list(dict.fromkeys(row.path for row in absent))
    return (
        f"{len(absent)} of {total} examples of {split!r}, whose files are missing: "
        f"{', '.join(paths[:3])}{', ...' if len(paths) > 3 else '.'}"
    )


def _advice(words: str, *, is_whole_split: bool) -> str:
    if is_whole_split:
        return f"`root` is wrong or files have other names: {words}"
    return f"{words} Add them, or set missing='skip' to leave them out."
