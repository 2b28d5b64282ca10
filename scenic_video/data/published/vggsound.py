"""VGGSound (Chen et al. 2020): ten-second clips with one audio event each."""

from collections.abc import Sequence
from pathlib import Path

from scenic_video.data.examples import Dataset
from scenic_video.data.published.annotations import cell, number, stems, whole_file
from scenic_video.data.sources.assembling import assemble_present
from scenic_video.data.sources.labels import Names
from scenic_video.data.sources.manifest import Row
from scenic_video.data.sources.tables import read_table
from scenic_video.data.sources.video_files import Missing, Root, VideoFiles

COLUMNS = ("id", "start", "label", "split")


def vggsound(
    annotations: str,
    *,
    root: Root,
    files: Sequence[str] = ("{id}_{start:06d}", "{id}_{start}"),
    classes: Names | None = None,
    flip_safe: bool = True,
    missing: Missing = "raise",
    name: str = "vggsound",
) -> Dataset:
    """Clips in vggsound.csv, with lines "id,start,label,split" and no header.

    It contains all splits ("train" and "test"). `root` holds the trimmed clips. The 309 classes are
    the sorted labels unless `classes` gives them.
    """
    videos = VideoFiles(root)
    rows: dict[str, list[Row]] = {}
    for line in read_table(Path(annotations), columns=COLUMNS):
        id, start = cell(line, "id"), int(number(line, "start"))
        split = cell(line, "split")
        path = videos.find(split, stems(files, id=id, start=start))
        labels = {"label": (cell(line, "label"),)}
        row = whole_file(f"{id}_{start:06d}", path, labels, line.place)
        rows.setdefault(split, []).append(row)
    return assemble_present(
        rows, videos, missing=missing, name=name, classes=classes, flip_safe=flip_safe
    )
