"""Reads the names of classes from a file, for checkpoints that do not state them."""

import csv
from collections.abc import Sequence
from pathlib import Path

from scenic_video.errors import UserError


def read_class_names(path: str | Path) -> tuple[str, ...]:
    """The names of the classes in the order of their ids.

    A file has one name per line; a .csv or .tsv has one or both of an id and a name per line, in
    either order and with or without a header. Errors: UserError unless ids are 0, 1, 2, ..., each
    once, and names differ.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"There is no file of class names {str(path)!r}.")
    try:
        lines = [x.strip() for x in path.read_text("utf-8-sig").splitlines() if x.strip()]
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}. Save it as UTF-8.") from error
    names = tuple(lines)
    if path.suffix.lower() in (".csv", ".tsv"):
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        names = _of_table(path, list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True)))
    if not names:
        raise UserError(f"{path} has no class names; wanted one per line.")
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise UserError(f"{path} has the class {twice!r} twice.")
    return names


def _of_table(path: Path, rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    if all(len(row) == 1 for row in rows):
        return tuple(row[0] for row in rows)
    if len(rows) > 1 and not any(cell.isdecimal() for cell in rows[0]):
        rows = rows[1:]  # the header
    named: dict[int, str] = {}
    for row in rows:
        ids = [cell for cell in row if cell.isdecimal()]
        if len(row) != 2 or not ids:
            raise UserError(f"{path}: wanted an id and a name in each line; got {','.join(row)!r}.")
        place = row.index(ids[0])
        if int(ids[0]) in named:
            raise UserError(f"{path} has the id {ids[0]} twice.")
        named[int(ids[0])] = row[1 - place]
    if sorted(named) != list(range(len(named))):
        raise UserError(
            f"{path}: the ids of {len(named)} classes must be 0 to {len(named) - 1}; got "
            f"{min(named)} to {max(named)}."
        )
    return tuple(named[i] for i in range(len(named)))
