"""Kinetics 400, 600 and 700 (Kay et al. 2017, and successors)."""

from collections.abc import Mapping, Sequence

from scenic_video.data.examples import Dataset
from scenic_video.data.published.annotations import (
    cell,
    number,
    stems,
    table_rows,
    whole_file,
)
from scenic_video.data.sources.assembling import assemble_present
from scenic_video.data.sources.labels import Names
from scenic_video.data.sources.manifest import Row
from scenic_video.data.sources.tables import Line
from scenic_video.data.sources.video_files import Missing, Root, VideoFiles


def kinetics(
    splits: Mapping[str, str],
    *,
    root: Root,
    files: Sequence[str] = (
        "{label}/{id}_{start:06d}_{end:06d}",
        "{folder}/{id}_{start:06d}_{end:06d}",
        "{id}_{start:06d}_{end:06d}",
        "{id}",
    ),
    classes: Names | None = None,
    flip_safe: bool = True,
    missing: Missing = "raise",
    name: str = "kinetics",
) -> Dataset:
    """Clips in the CSV files of Kinetics, {"train": "train.csv", "test": "validate.csv"}.

    Columns: label, youtube_id, time_start, time_end (seconds). `root` holds the trimmed clips;
    `files` lists the names to try, without suffix, where {folder} is the label with underscores for
    spaces. The head is "label"; its classes are the sorted labels of all splits unless `classes`
    gives them.
    """
    videos = VideoFiles(root)

    def row(split: str, line: Line) -> Row:
        label, id = cell(line, "label"), cell(line, "youtube_id")
        start, end = (int(number(line, column)) for column in ("time_start", "time_end"))
        fields = {"label": label, "folder": label.replace(" ", "_"), "start": start, "end": end}
        path = videos.find(split, stems(files, id=id, **fields))
        return whole_file(f"{id}_{start:06d}_{end:06d}", path, {"label": (label,)}, line.place)

    rows = table_rows(splits, row)
    return assemble_present(
        rows, videos, missing=missing, name=name, classes=classes, flip_safe=flip_safe
    )
