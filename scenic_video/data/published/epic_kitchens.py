"""EPIC-Kitchens-100 (Damen et al. 2022): segments of long videos, with a noun and a verb each."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from scenic_video.data.examples import Dataset
from scenic_video.data.published.annotations import cell, number, stems, table_rows
from scenic_video.data.sources.assembling import assemble_present
from scenic_video.data.sources.manifest import Row, read_seconds
from scenic_video.data.sources.tables import Line, read_table
from scenic_video.data.sources.video_files import Missing, Root, VideoFiles
from scenic_video.errors import UserError

NUM_CLASSES = {"noun": 300, "verb": 97}


def epic_kitchens(
    splits: Mapping[str, str],
    *,
    root: Root,
    files: Sequence[str] = (
        "{participant}/videos/{video}",
        "{participant}/{video}",
        "{video}",
        "videos/{video}",
    ),
    noun_classes: str | None = None,
    verb_classes: str | None = None,
    flip_safe: bool = True,
    missing: Missing = "raise",
    name: str = "epic_kitchens_100",
) -> Dataset:
    """Segments in EPIC_100_train.csv and EPIC_100_validation.csv, one file per split.

    More than seven parameters: they are the fields of a `dataset` node, whose schema this is.

    Columns: narration_id, participant_id, video_id, start_timestamp, stop_timestamp (HH:MM:SS.ss),
    verb_class, noun_class. `root` holds the long videos. `noun_classes` and `verb_classes` are
    EPIC_100_noun_classes_v2.csv and EPIC_100_verb_classes.csv (columns id and key); without them
    classes are named by their numbers.
    """
    videos = VideoFiles(root)
    tables = {"noun": noun_classes, "verb": verb_classes}
    classes = {head: _class_names(head, table) for head, table in tables.items()}

    def row(split: str, line: Line) -> Row:
        video, participant = cell(line, "video_id"), cell(line, "participant_id")
        start, end = (
            read_seconds(line.place, column, cell(line, column))
            for column in ("start_timestamp", "stop_timestamp")
        )
        return Row(
            id=cell(line, "narration_id"),
            path=videos.find(split, stems(files, video=video, participant=participant)),
            start=start or 0.0,
            end=end,
            labels={head: (str(int(number(line, f"{head}_class"))),) for head in tables},
            place=line.place,
        )

    rows = table_rows(splits, row)
    return assemble_present(
        rows, videos, missing=missing, name=name, classes=classes, flip_safe=flip_safe
    )


def _class_names(head: str, table: str | None) -> list[str]:
    if table is None:
        return [str(index) for index in range(NUM_CLASSES[head])]
    names = {int(number(row, "id")): cell(row, "key") for row in read_table(Path(table))}
    if sorted(names) != list(range(len(names))):
        raise UserError(f"{table}: the ids of its {len(names)} classes are not 0, 1, 2, ...")
    return [names[index] for index in range(len(names))]
