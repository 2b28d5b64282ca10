"""Moments in Time (Monfort et al. 2018)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from scenic_video.data.examples import Dataset
from scenic_video.data.published.annotations import (
    cell,
    read_lines,
    stems,
    table_rows,
    whole_file,
)
from scenic_video.data.sources.assembling import assemble_present
from scenic_video.data.sources.manifest import Row
from scenic_video.data.sources.tables import Line
from scenic_video.data.sources.video_files import Missing, Root, VideoFiles
from scenic_video.errors import UserError

COLUMNS = ("file", "label")


def moments_in_time(
    splits: Mapping[str, str],
    *,
    root: Root,
    categories: str | None = None,
    files: Sequence[str] = ("{file}",),
    flip_safe: bool = True,
    missing: Missing = "raise",
    name: str = "moments_in_time",
) -> Dataset:
    """Clips in trainingSet.csv and validationSet.csv, with lines "class/file.mp4,class,...".

    `root` has a folder per split: {"train": "Moments_in_Time_Raw/training", "test":
    "Moments_in_Time_Raw/validation"}. `categories` is moments_categories.txt, lines "class,id";
    without it the classes are the sorted labels.
    """
    videos = VideoFiles(root)

    def row(split: str, line: Line) -> Row:
        file, label = cell(line, "file"), cell(line, "label")
        stem = str(Path(file).with_suffix(""))
        path = videos.find(split, stems(files, file=stem, label=label))
        return whole_file(file, path, {"label": (label,)}, line.place)

    rows = table_rows(splits, row, columns=COLUMNS)
    classes = None if categories is None else {"label": _classes(categories)}
    return assemble_present(
        rows, videos, missing=missing, name=name, classes=classes, flip_safe=flip_safe
    )


def _classes(path: str) -> list[str]:
    ids: dict[int, str] = {}
    for line in read_lines(path):
        label, comma, id = line.rpartition(",")
        if not comma or not id.strip().isdigit():
            raise UserError(f"{path}: wanted 'class,id', got {line!r}.")
        ids[int(id)] = label
    return [ids[index] for index in sorted(ids)]
