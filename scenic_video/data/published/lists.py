"""Lists of "path label" lines: of SlowFast, PyTorchVideo, VideoMAE, V-JEPA 2 and MMAction2."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from scenic_video.config import check_arguments
from scenic_video.data.examples import Dataset
from scenic_video.data.sources.assembling import assemble_present
from scenic_video.data.sources.labels import Names
from scenic_video.data.sources.manifest import Row
from scenic_video.data.sources.video_files import VIDEO_SUFFIXES, Missing, VideoFiles
from scenic_video.errors import UserError
from scenic_video.field_types import PositiveInt

HEAD = "label"
Separator = Literal["::", ",", " "]
SEPARATORS = get_args(Separator)
NO_LABEL = -1
"""VideoMAE writes "path 0 -1", from frame 0 to the end, for unlabelled videos."""


@check_arguments
def video_lists(
    splits: Mapping[str, str],
    *,
    root: str | None = None,
    separator: Separator | None = None,
    multilabel: bool = False,
    classes: Names | None = None,
    num_classes: PositiveInt | None = None,
    flip_safe: bool = True,
    missing: Missing = "raise",
    name: str | None = None,
) -> Dataset:
    """The dataset of one list per split, {"train": "train.csv", ...}, with a video per line.

    More than seven parameters: they are the fields of a `dataset` node, whose schema this is.

    A line is "path label" with a class id, "path label label ..." if `multilabel`, or "path 0 -1"
    if nothing is labelled. `separator` is "::", "," or " " (any white space); None uses the first
    of them that splits the first line. Paths are relative to `root`, else to the list. There are
    `num_classes` ids, by default up to the highest label; `classes` names them.
    """
    rows = {split: _rows(Path(path), root, separator, multilabel) for split, path in splits.items()}
    if not rows:
        raise UserError("video_lists needs at least one split: {'train': 'train.csv'}.")
    first = Path(next(iter(splits.values())))
    return assemble_present(
        rows,
        VideoFiles(root or str(first.parent)),
        missing=missing,
        name=name or first.resolve().parent.name,
        classes=classes or _numbers(rows, num_classes),
        multilabel=multilabel,
        flip_safe=flip_safe,
    )


def _numbers(rows: Mapping[str, Sequence[Row]], num_classes: int | None) -> list[str] | None:
    """The ids as names; None if nothing is labelled."""
    ids = [int(x) for split in rows.values() for row in split for x in row.labels.get(HEAD, ())]
    if not ids:
        return None
    if num_classes is not None and max(ids) >= num_classes:
        raise UserError(f"num_classes is {num_classes}, but a list has the label {max(ids)}.")
    return [str(number) for number in range(num_classes or max(ids) + 1)]


def _rows(path: Path, root: str | None, separator: str | None, multilabel: bool) -> list[Row]:
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    lines = path.read_text("utf-8-sig").splitlines()
    numbered = [(n, line.strip()) for n, line in enumerate(lines, start=1) if line.strip()]
    if not numbered:
        raise UserError(f"{path} has no lines.")
    pattern = _pattern(numbered[0][1], separator)
    folder = path.parent if root is None else Path(root).expanduser()
    rows = [_row(f"{path}, line {n}", line, pattern, folder, multilabel) for n, line in numbered]
    for row in rows:
        if set(row.labels) != set(rows[0].labels):
            raise UserError(
                f"{row.place}: some lines of this list have labels, others do not. Split the list."
            )
    return rows


def _pattern(line: str, separator: str | None) -> re.Pattern[str]:
    """Matches a line: a path, which may contain separators, and the numbers after it."""
    found = [separator] if separator else SEPARATORS
    patterns = [
        re.compile(rf"(?P<path>.+?)(?P<numbers>(?:{between}\s*-?\d+)+)\s*")
        for between in (r"\s+" if mark == " " else re.escape(mark) for mark in found)
    ]
    return next((pattern for pattern in patterns if pattern.fullmatch(line)), patterns[-1])


def _row(place: str, line: str, pattern: re.Pattern[str], root: Path, multilabel: bool) -> Row:
    found = pattern.fullmatch(line)
    if found is None:
        raise UserError(
            f"{place}: wanted the path of a video and its class id, got {line!r}. UCF101 and "
            "HMDB51 have their own readers, ucf101:ucf101 and hmdb51:hmdb51."
        )
    path = found["path"].strip()
    numbers = [int(number) for number in re.findall(r"-?\d+", found["numbers"])]
    _refuse_frames(place, line, path, numbers)
    unlabelled = numbers[-1] == NO_LABEL
    if not unlabelled and (min(numbers) < 0 or (len(numbers) > 1 and not multilabel)):
        raise UserError(
            f"{place}: {line!r} should end in one class id. Set multilabel=True if a video may "
            "have several."
        )
    ids = tuple(dict.fromkeys(map(str, numbers)))
    return Row(
        id=path,
        path=str(root / path),
        start=0.0,
        end=None,
        labels={} if unlabelled else {HEAD: ids},
        place=place,
    )


def _refuse_frames(place: str, line: str, path: str, numbers: Sequence[int]) -> None:
    if len(numbers) > 1 and Path(path).suffix.lower() not in VIDEO_SUFFIXES:
        raise UserError(
            f"{place}: {line!r} names a folder of frames (folder, number of frames, label). Only "
            "videos are read: make a video of each folder, as in `ffmpeg -i folder/img_%05d.jpg "
            "folder.mp4`, and list those."
        )
