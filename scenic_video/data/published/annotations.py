"""Shared by the readers of published annotations: cells, lines, file names, rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenic_video.data.sources.manifest import Row
from scenic_video.data.sources.tables import Record, read_records
from scenic_video.errors import UserError


def table_rows(
    splits: Mapping[str, str],
    row: Callable[[str, Record], Row],
    *,
    columns: Sequence[str] = (),
) -> dict[str, list[Row]]:
    """`row(split, record)` for each record of one table per split; `columns` as in
    `read_records`."""
    return {
        split: [row(split, record) for record in read_records(Path(path), columns=columns)]
        for split, path in splits.items()
    }


def read_lines(path: str | Path) -> list[str]:
    """The non-empty lines of a text file, stripped."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    return [line.strip() for line in path.read_text("utf-8-sig").split("\n") if line.strip()]


def cell(record: Record, column: str) -> str:
    """The cell of a record in `column`. Errors: ValueError if the table lacks the column."""
    if column not in record.cells:
        raise UserError(
            f"{record.place}: there is no column {column!r}, only {', '.join(record.cells)}."
        )
    return record.cells[column]


def number(record: Record, column: str) -> float:
    """A cell as a number. Errors: ValueError if it is not one."""
    text = cell(record, column)
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{record.place}, column {column!r}: {text!r} is not a number.") from None


def stems(names: Sequence[str], **fields: Any) -> Iterator[str]:
    """`names`, such as "{label}/{id}", with their fields filled in.

    Errors: ValueError if a name has an unknown field.
    """
    for pattern in names:
        try:
            yield pattern.format(**fields)
        except (KeyError, IndexError, ValueError) as error:
            raise UserError(
                f"The file name {pattern!r} cannot be filled in ({error}); fields are "
                f"{', '.join(fields)}."
            ) from error


def whole_file(id: str, path: str, labels: dict[str, tuple[str, ...]], place: str) -> Row:
    """The row of a whole file."""
    return Row(id=id, path=path, start=0.0, end=None, labels=labels, place=place)
