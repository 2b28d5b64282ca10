"""The names of classes: read from a file, and compared with those of others."""

import csv
import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from scenic_video.data.examples import LabelSpace
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


def with_head_of(labels: LabelSpace, other: LabelSpace) -> LabelSpace:
    """`labels`; if both have one head, under the name of that of `other`, since the name of a
    single head tells no classes apart."""
    if len(labels.classes) != 1 or len(other.classes) != 1:
        return labels
    (names,), (head,) = labels.classes.values(), other.classes
    return dataclasses.replace(labels, classes={head: names})


def same_names(names: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """Those of `names` that are among `others` if case and punctuation are ignored, with their
    counterpart; "Jump_Rope" and "jump rope" are the same. Ambiguous names are left out."""
    spellings: dict[str, list[str]] = {}
    for other in others:
        spellings.setdefault(_letters(other), []).append(other)
    found = {}
    for name in names:
        like = spellings.get(_letters(name), [])
        if name in like or len(like) == 1:
            found[name] = name if name in like else like[0]
    return found


def _letters(name: str) -> str:
    """Lower-case letters and digits, and all other characters as one space."""
    return re.sub(r"[\W_]+", " ", name.casefold()).strip()
