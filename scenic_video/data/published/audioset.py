"""AudioSet (Gemmeke et al. 2017): ten-second segments of videos, and their audio events."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from scenic_video.data.examples import Dataset
from scenic_video.data.published.annotations import cell, number, stems, table_rows
from scenic_video.data.sources.assembling import assemble_present
from scenic_video.data.sources.manifest import Row
from scenic_video.data.sources.tables import Line, read_table
from scenic_video.data.sources.video_files import Missing, Root, VideoFiles
from scenic_video.errors import UserError

COLUMNS = ("YTID", "start_seconds", "end_seconds", "positive_labels")


def audioset(
    splits: Mapping[str, str],
    *,
    labels: str,
    root: Root,
    files: Sequence[str] = (
        "{id}",
        "Y{id}",
        "{id}_{start}_{end}",
        "{id}_{start_ms}_{end_ms}",
        "{id}_{start:06d}",
    ),
    trimmed: bool = True,
    flip_safe: bool = True,
    missing: Missing = "raise",
    name: str = "audioset",
) -> Dataset:
    """Segments in balanced_train_segments.csv, eval_segments.csv etc., one file per split.

    More than seven parameters: they are the fields of a `dataset` node, whose schema this is.

    Multi-label; `labels` is class_labels_indices.csv (index, mid, display_name), in the order of
    the 527 classes. `root` holds files of ten seconds, or with `trimmed=False` whole videos, of
    which only these seconds are read.
    """
    names, ids = _classes(Path(labels))
    videos = VideoFiles(root)

    def row(split: str, line: Line) -> Row:
        id = cell(line, "YTID")
        start, end = (number(line, column) for column in ("start_seconds", "end_seconds"))
        fields = {"start": int(start), "end": int(end)}
        fields |= {"start_ms": round(1000 * start), "end_ms": round(1000 * end)}
        mids = [mid.strip() for mid in cell(line, "positive_labels").split(",")]
        unknown = [mid for mid in mids if mid not in ids]
        if unknown:
            raise UserError(f"{line.place}: {unknown[0]!r} is not a class of {labels}.")
        return Row(
            id=f"{id}_{int(start):06d}",
            path=videos.find(split, stems(files, id=id, **fields)),
            start=0.0 if trimmed else start,
            end=None if trimmed else end,
            labels={"label": tuple(dict.fromkeys(ids[mid] for mid in mids))},
            place=line.place,
        )

    rows = table_rows(splits, row, columns=COLUMNS)
    return assemble_present(
        rows,
        videos,
        missing=missing,
        name=name,
        classes={"label": names},
        multilabel=True,
        flip_safe=flip_safe,
    )


def _classes(path: Path) -> tuple[list[str], dict[str, str]]:
    """Display names in the order of their index, and mid -> display name."""
    lines = sorted(read_table(path), key=lambda line: int(number(line, "index")))
    names = [cell(line, "display_name") for line in lines]
    mids = [cell(line, "mid") for line in lines]
    return names, dict(zip(mids, names, strict=True))
