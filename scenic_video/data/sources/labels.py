"""Converts class names to class ids."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from scenic_video.config import near
from scenic_video.data.examples import Example, LabelSpace
from scenic_video.data.sources.manifest import Row
from scenic_video.errors import UserError

Names = Sequence[str] | str
"""Class names in the order of their ids, or the path of a text file with one name per line."""


def label_space(
    splits: Mapping[str, Sequence[Row]],
    *,
    classes: Mapping[str, Names] | Names | None = None,
    multilabel: bool = False,
) -> LabelSpace:
    """The classes of each head: those given, else the sorted distinct labels of all splits.

    Labels that are all integers sort by value. `classes` maps heads to names, or is the
    names if there is only one head.
    """
    heads = _heads(splits)
    given = _given_names(heads, classes)
    return LabelSpace(
        classes={head: given.get(head) or _distinct(splits, head) for head in heads},
        multilabel=multilabel,
    )


def to_examples(
    splits: Mapping[str, Sequence[Row]], labels: LabelSpace
) -> dict[str, tuple[Example, ...]]:
    """Replaces names by ids.

    If every label of a head is a non-negative integer and its class names are not, the labels are
    ids. Errors: UserError with file, line and column if a label is not a class.
    """
    ids = {head: _ids(splits, head, names) for head, names in labels.classes.items()}

    def example(row: Row) -> Example:
        classes = {}
        for head, names in row.labels.items():
            unknown = [name for name in names if name not in ids[head]]
            if unknown:
                raise UserError(_unknown(row, head, unknown[0], labels.classes[head]))
            classes[head] = tuple(ids[head][name] for name in names)
        return Example(
            id=row.id,
            video=row.path,
            labels=classes,
            start=row.start,
            end=row.end,
            flow=row.flow,
        )

    return {split: tuple(map(example, rows)) for split, rows in splits.items()}


def _heads(splits: Mapping[str, Sequence[Row]]) -> tuple[str, ...]:
    by_split = {split: tuple(rows[0].labels) for split, rows in splits.items()}
    (first, heads), *others = by_split.items()
    for split, other in others:
        if set(other) != set(heads):
            raise UserError(
                f"The split {first!r} labels {', '.join(heads) or 'nothing'}, but {split!r} "
                f"labels {', '.join(other) or 'nothing'}. Select the common columns with `heads`."
            )
    return heads


def _given_names(
    heads: tuple[str, ...], classes: Mapping[str, Names] | Names | None
) -> dict[str, tuple[str, ...]]:
    if classes is None:
        return {}
    if not isinstance(classes, Mapping):
        if len(heads) != 1:
            raise UserError(
                f"`classes` must name the classes by head, as in {{'verb': [...]}}; the heads are "
                f"{', '.join(heads) or 'none'}."
            )
        classes = {heads[0]: classes}
    for head in classes:
        if head not in heads:
            raise UserError(f"`classes` names the head {head!r}, unknown{near(head, list(heads))}")
    return {head: _read_names(head, names) for head, names in classes.items()}


def _read_names(head: str, names: Names) -> tuple[str, ...]:
    if isinstance(names, str):
        path = Path(names).expanduser()
        if not path.is_file():
            raise UserError(f"`classes` of {head!r}: there is no file {path}.")
        names = [line.strip() for line in path.read_text("utf-8-sig").rstrip().splitlines()]
    names = tuple(names)
    seen: set[str] = set()
    for number, name in enumerate(names, start=1):
        if not name or name in seen:
            raise UserError(
                f"`classes` of {head!r}: name {number}, {name!r}, is empty or occurs twice."
            )
        seen.add(name)
    if not names:
        raise UserError(f"`classes` of {head!r} is empty.")
    return names


def _distinct(splits: Mapping[str, Sequence[Row]], head: str) -> tuple[str, ...]:
    names = {label for rows in splits.values() for row in rows for label in row.labels[head]}
    if all(_is_id(name) for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def _ids(splits: Mapping[str, Sequence[Row]], head: str, names: tuple[str, ...]) -> dict[str, int]:
    """Label as written in the manifest -> class id."""
    used = {label for rows in splits.values() for row in rows for label in row.labels[head]}
    if all(map(_is_id, used)) and not all(map(_is_id, names)):
        return {label: int(label) for label in used if int(label) < len(names)}
    return {name: index for index, name in enumerate(names)}


def _is_id(label: str) -> bool:
    return label.isascii() and label.isdigit()


def _unknown(row: Row, head: str, label: str, names: tuple[str, ...]) -> str:
    begin = " Ids start at 0." if _is_id(label) and not all(map(_is_id, names)) else ""
    return (
        f"{row.place}, head {head!r}: {label!r} is not one of the {len(names)} classes, such "
        f"as {', '.join(names[:3])}{near(label, list(names))}{begin}"
    )
