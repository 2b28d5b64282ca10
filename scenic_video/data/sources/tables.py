"""Reads tables (CSV, TSV, JSON lines) as lines with their positions, and JSON files."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scenic_video.errors import UserError

SUFFIXES = (".csv", ".tsv", ".jsonl")
"""In any case."""
NOT_READ = (".txt", ".json", ".xlsx", ".xls", ".ods", ".parquet", ".pkl", ".npy")
"""Files that may list videos but are not read as tables."""
LISTS = ("train", "val", "test", "list", "label", "annotation")
"""Words in the names of files that list videos."""


class Line(NamedTuple):
    """One line: `place` reads "train.csv, line 7"; `cells` by column, JSON values in JSON lines."""

    place: str
    cells: dict[str, Any]


def read_table(path: Path, *, columns: Sequence[str] = ()) -> list[Line]:
    """All lines of a table, in the format of its suffix. Cells are stripped, empty lines skipped.

    `columns` names the first columns of a table without a header; its other cells, and lines that
    start with #, are ignored. Errors: UserError with file, line and column.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{path}: the name of a table must end in one of {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    is_json = suffix == ".jsonl"
    try:
        lines = list(_read_json_lines(path) if is_json else _read_delimited(path, list(columns)))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}. Save it as UTF-8.") from error
    if not lines:
        raise UserError(f"{path} has no rows.")
    for place, cells in lines:
        if any("\0" in text for text in (*cells, *cells.values()) if isinstance(text, str)):
            raise UserError(f"{place}: a cell contains a NUL byte. Save {path} as UTF-8 text.")
    return lines


def _read_delimited(path: Path, columns: list[str]) -> Iterator[Line]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
        header = columns
        for cells in reader:
            place = f"{path}, line {reader.line_num}"
            if any("\n" in cell or "\r" in cell for cell in cells):
                raise UserError(f"{place}: a quoted cell spans several lines; close its quote.")
            cells = [cell.strip() for cell in cells]
            if not any(cells) or (columns and cells[0].startswith("#")):
                continue
            if columns:
                yield Line(place, _first_cells(place, columns, cells))
            elif header:
                yield Line(place, _named_cells(place, header, cells))
            else:
                header = _checked_header(place, cells)


def _named_cells(place: str, header: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(header):
        hint = "Quote cells that contain the delimiter."
        if len(header) == 1 and (other := other_delimiter(header[0])):
            hint = f"Separate cells by commas (tabs in .tsv), not by {other}."
        raise UserError(
            f"{place} has {len(cells)} cells but the header names {len(header)} "
            f"column{'s' if len(header) > 1 else ''} ({', '.join(header)}). {hint}"
        )
    return dict(zip(header, cells, strict=True))


def other_delimiter(header: str) -> str:
    """The likely separator in a header that was read as a single cell; "" if there is none."""
    marks = {";": "semicolons", "\t": "tabs", ",": "commas", "|": "bars", " ": "spaces"}
    return next((name for mark, name in marks.items() if mark in header), "")


def lists_in(folder: Path) -> str:
    """A sentence on files in `folder` that seem to list videos but are not read; "" if none."""
    names = sorted(
        path.name
        for path in folder.iterdir()
        if path.suffix.lower() in NOT_READ and any(word in path.stem.lower() for word in LISTS)
    )
    if not names:
        return ""
    few = ", ".join([*names[:3], *(["..."] if len(names) > 3 else [])])
    return f"not read: {few} (manifests end in {' '.join(SUFFIXES)})"


def _first_cells(place: str, columns: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) < len(columns):
        raise UserError(
            f"{place} has {len(cells)} cells; wanted {len(columns)}: {', '.join(columns)}."
        )
    return dict(zip(columns, cells, strict=False))


def _checked_header(place: str, header: list[str]) -> list[str]:
    if "" in header:
        raise UserError(f"{place}: column {header.index('') + 1} of the header has no name.")
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise UserError(f"{place}: the header names the column {twice[0]!r} twice.")
    return header


def _read_json_lines(path: Path) -> Iterator[Line]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            try:
                cells = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise UserError(f"{place}: not JSON: {error}.") from error
            if not isinstance(cells, dict):
                raise UserError(f"{place}: wanted an object like {{'path': ...}}, got {cells!r}.")
            yield Line(place, cells)


def read_json(path: str | Path, kind: type) -> Any:
    """The content of a JSON file, which must be a `kind` (dict or list)."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}.") from error
    if not isinstance(content, kind):
        raise UserError(f"{path}: wanted a JSON {kind.__name__}, got {type(content).__name__}.")
    return content
