"""Reads and writes manifests: tables (CSV, TSV, JSON lines) of clips and their labels.

A row has a `path`, and may have `start` and `end` (seconds or HH:MM:SS.ss), an `id`, and the file
of its optical `flow`. Every other column is a head with the class of the clip; several classes in a
cell are separated by `|` (in JSON lines: a list). Spaces around cells and empty lines are ignored.
"""

import csv
import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenic_video.config import near
from scenic_video.data.examples import Example, LabelSpace
from scenic_video.data.sources.tables import Line, other_delimiter, read_table
from scenic_video.errors import UserError
from scenic_video.printable import printable

RESERVED = ("path", "start", "end", "id", "flow")
FILES = ("file", "filename", "file_name", "video", "video_name", "clip", "image")
"""Other common names of the column "path"."""
KINETICS_COLUMNS = frozenset({"youtube_id", "time_start", "time_end"})

Heads = str | Sequence[str] | Mapping[str, str]
"""The columns with labels; a mapping renames them: {head: column}."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One clip of a manifest; labels are still strings.

    `place` is the position of the row ("train.csv, line 7"), for the errors of later checks.
    """

    id: str
    path: str
    start: float
    end: float | None
    labels: Mapping[str, tuple[str, ...]]
    place: str
    flow: str | None = None


def read_manifest(
    path: str | Path,
    *,
    root: str | Path | None = None,
    heads: Heads | None = None,
    multilabel: bool = False,
) -> list[Row]:
    """The rows of a .csv, .tsv or .jsonl file, in its order.

    Paths are relative to `root`, by default the folder of the manifest. `heads` selects the columns
    with labels, all but `RESERVED` if None. The default `id` of a row is its path, with its times
    if it has any. Errors: UserError with file, line and column.
    """
    path = Path(path)
    lines = read_table(path)
    columns = list(dict.fromkeys(name for line in lines for name in line.cells))
    if "path" not in columns:
        raise UserError(_no_path(path, columns))
    head_columns = _head_columns(path, columns, heads)
    root = path.parent if root is None else Path(root).expanduser()
    rows = [_row(line, root, head_columns, multilabel) for line in lines]
    refuse_duplicates(rows, column="id" if "id" in columns else "path")
    return rows


def columns_of(heads: Heads) -> dict[str, str]:
    """Head -> column."""
    if isinstance(heads, Mapping):
        return dict(heads)
    return {head: head for head in ([heads] if isinstance(heads, str) else heads)}


def write_manifest(path: Path, examples: Sequence[Example], labels: LabelSpace) -> None:
    """Writes a CSV file that `read_manifest` reads as these examples, which must be in files.

    Paths below the folder of the manifest become relative to it. The order of classes is not
    stored.
    """
    if path.suffix != ".csv":
        raise UserError(f"{path}: manifests are written as .csv; change the suffix.")
    for head, names in labels.classes.items():
        if head in RESERVED:
            raise UserError(
                f"The head {head!r} cannot be the name of a column in a manifest; rename it."
            )
        ambiguous = [name for name in names if "|" in name or name != name.strip()]
        if ambiguous:
            raise UserError(
                f"The class {ambiguous[0]!r} of {head!r} cannot be written to a manifest."
            )
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*RESERVED, *labels.classes], lineterminator="\n")
        writer.writeheader()
        for example in examples:
            writer.writerow(_cells(example, labels, path.parent))


def _cells(example: Example, labels: LabelSpace, folder: Path) -> dict[str, str]:
    if isinstance(example.video, bytes):
        raise UserError(f"{example.id!r} is in records, but a manifest names files.")
    video = Path(example.video)
    return {
        "path": str(video.relative_to(folder) if video.is_relative_to(folder) else video),
        "start": repr(float(example.start)) if example.start else "",
        "end": _time(example.end),
        "id": example.id,
        "flow": example.flow or "",
        **{
            head: "|".join(names[index] for index in example.labels[head])
            for head, names in labels.classes.items()
        },
    }


def _no_path(path: Path, columns: list[str]) -> str:
    hint = " The first line must name the columns."
    wanted = "tabs" if path.suffix.lower() == ".tsv" else "commas"
    is_one = len(columns) == 1 and path.suffix.lower() != ".jsonl"
    other = other_delimiter(columns[0]) if is_one else ""
    if set(columns) >= KINETICS_COLUMNS:
        reader = "scenic_video.data.published.kinetics:kinetics"
        hint = f" This is an annotation file of Kinetics: read it with the target {reader!r}."
    elif other:
        hint = f" Cells of a {path.suffix} file must be separated by {wanted}, not by {other}."
    elif alike := [name for name in columns if "path" in name.lower() or name.lower() in FILES]:
        hint = f" Did you mean {alike[0]!r}? Rename it to 'path'."
    return f"{path} has no column 'path', only {', '.join(map(repr, columns))}.{hint}"


def _head_columns(path: Path, columns: list[str], heads: Heads | None) -> dict[str, str]:
    """Head -> column."""
    if heads is None:
        return {name: name for name in columns if name not in RESERVED}
    chosen = columns_of(heads)
    for column in chosen.values():
        if column not in columns or column in RESERVED:
            labels = [name for name in columns if name not in RESERVED]
            raise UserError(
                f"{path} has no label column {column!r}; it has "
                f"{', '.join(map(repr, labels)) or 'none'}{near(column, labels)}"
            )
    return chosen


def _row(line: Line, root: Path, head_columns: dict[str, str], multilabel: bool) -> Row:
    place, cells = line
    path = _file(place, "path", cells.get("path"))
    start, end = (read_seconds(place, column, cells.get(column)) for column in ("start", "end"))
    if end is not None and end <= (start or 0.0):
        raise UserError(f"{place}, column 'end': {end:g} s is not after start={start or 0.0:g} s.")
    example_id = cells.get("id")
    if example_id in (None, ""):
        untrimmed = start is None and end is None
        example_id = path if untrimmed else f"{path}#{_time(start)}-{_time(end)}"
    return Row(
        id=printable(str(example_id)),
        path=str(root / os.path.expanduser(path)),
        start=start or 0.0,
        end=end,
        labels={
            head: _labels(place, column, cells.get(column), multilabel)
            for head, column in head_columns.items()
        },
        place=place,
        flow=_flow(place, cells.get("flow"), root),
    )


def _file(place: str, column: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise UserError(f"{place}, column {column!r}: wanted the path of a video, got {value!r}.")
    return value


def _flow(place: str, value: Any, root: Path) -> str | None:
    if value is None or value == "":
        return None
    return str(root / os.path.expanduser(_file(place, "flow", value)))


def _time(seconds: float | None) -> str:
    return "" if seconds is None else repr(seconds)


def read_seconds(place: str, column: str, value: Any) -> float | None:
    """Seconds from 12.5, "12.5" or "00:00:12.5"; None for an empty cell."""
    if value is None or value == "":
        return None
    parts = str(value).split(":")
    try:
        units = [float(parts[-1]), *(int(part) for part in reversed(parts[:-1]))]
    except ValueError:
        units = [math.nan]
    smaller = units[:-1]  # with hours or minutes before them, minutes and seconds are below 60
    valid = len(units) <= 3 and all(0 <= unit < 60 for unit in smaller)
    if isinstance(value, bool) or not (valid and 0 <= units[-1] < math.inf):
        raise UserError(
            f"{place}, column {column!r}: {value!r} is not a time; write seconds or HH:MM:SS.ss."
        )
    return float(sum(unit * 60**power for power, unit in enumerate(units)))


def _labels(place: str, column: str, value: Any, multilabel: bool) -> tuple[str, ...]:
    labels = _split_labels(value)
    if labels is None or "" in labels:
        raise UserError(f"{place}, column {column!r}: {value!r} is not a label.")
    if not multilabel and len(labels) != 1:
        missing = "the label is missing"
        many = f"wanted one label, got {len(labels)} ({', '.join(labels)})"
        raise UserError(
            f"{place}, column {column!r}: {many if labels else missing}. "
            "Set multilabel=True if a clip may have any number of labels, or select other heads."
        )
    return tuple(dict.fromkeys(labels))


def _split_labels(value: Any) -> list[str] | None:
    """The labels in a cell; None if they are not all strings or integers."""
    if value is None or value == "":
        return []
    parts = value.split("|") if isinstance(value, str) else value
    parts = parts if isinstance(parts, list) else [parts]
    if any(isinstance(part, bool) or not isinstance(part, str | int) for part in parts):
        return None
    return [printable(str(part).strip()) for part in parts]


def refuse_duplicates(rows: Sequence[Row], *, column: str) -> None:
    """Errors: UserError if an id occurs twice; `column` is where ids come from."""
    first: dict[str, Row] = {}
    for row in rows:
        earlier = first.setdefault(row.id, row)
        if earlier is not row:
            raise UserError(
                f"{row.place}, column {column!r}: the id {row.id!r} is also that of "
                f"{earlier.place}. Ids must be unique; give such clips an `id` of their own."
            )
