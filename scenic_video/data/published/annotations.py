"""Shared by the readers of published annotations: cells, lines, file names, rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenic_video.data.sources.manifest import Row
from scenic_video.data.sources.tables import Line, read_table
from scenic_video.errors import UserError


def table_rows(
    splits: Mapping[str, str],
    row: Callable[[str, Line], Row],
    *,
    columns: Sequence[str] = (),
) -> dict[str, list[Row]]:
    """`row(split, line)` for each line of one table per split; `columns` as in
    `read_table`."""
    return {
        split: [row(split, line) for line in read_table(Path(path), columns=columns)]
        for split, path in splits.items()
    }


def read_lines(path: str | Path) -> list[str]:
    """The non-empty lines of a text file, stripped."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    return [line.strip() for line in path.read_text("utf-8-sig").split("\n") if line.strip()]


def cell(line: Line, column: str) -> str:
    """The cell of a line in `column`. Errors: UserError if the table lacks the column."""
    if column not in line.cells:
        raise UserError(
            f"{line.place}: there is no column {column!r}, only {', '.join(line.cells)}."
        )
    return line.cells[column]


def number(line: Line, column: str) -> float:
    """A cell as a number. Errors: UserError if it is not one."""
    text = cell(line, column)
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{line.place}, column {column!r}: {text!r} is not a number.") from None


def stems(names: Sequence[str], **fields: Any) -> Iterator[str]:
    """`names`, such as "{label}/{id}", with their fields filled in.

    Errors: UserError if a name has an unknown field.
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
