"""Charades (Sigurdsson et al. 2016): videos of half a minute at home, with several actions."""

from collections.abc import Mapping, Sequence

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


def charades(
    splits: Mapping[str, str],
    *,
    classes: str,
    root: Root,
    files: Sequence[str] = ("{id}",),
    flip_safe: bool = True,
    missing: Missing = "raise",
    name: str = "charades",
) -> Dataset:
    """Videos in Charades_v1_train.csv and Charades_v1_test.csv, one file per split.

    Columns: id, actions ("c092 11.90 21.20;c147 0.00 12.60", or nothing). An example is a whole
    video with all its actions: multi-label. `classes` is Charades_v1_classes.txt,
    with lines "c000 Holding some clothes".
    """
    names = _classes(classes)
    videos = VideoFiles(root)

    def row(split: str, line: Line) -> Row:
        id, actions = cell(line, "id"), cell(line, "actions")
        codes = [action.split()[0] for action in actions.split(";") if action.strip()]
        unknown = [code for code in codes if code not in names]
        if unknown:
            raise UserError(f"{line.place}: {unknown[0]!r} is not a class of {classes}.")
        labels = tuple(dict.fromkeys(names[code] for code in codes))
        path = videos.find(split, stems(files, id=id))
        return whole_file(id, path, {"action": labels}, line.place)

    rows = table_rows(splits, row)
    return assemble_present(
        rows,
        videos,
        missing=missing,
        name=name,
        classes={"action": list(names.values())},
        multilabel=True,
        flip_safe=flip_safe,
    )


def _classes(path: str) -> dict[str, str]:
    """Code -> name, in the order of the file."""
    return dict(line.split(maxsplit=1) for line in read_lines(path))
