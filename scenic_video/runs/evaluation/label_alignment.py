"""Converts the class ids of a dataset to those of a trained model, by the names of classes."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scenic_video.config import ConfigError
from scenic_video.data.examples import Example, LabelSpace
from scenic_video.data.sources.agreement import check_labels
from scenic_video.data.sources.class_names import same_names

MOST_NAMED = 5


class Aligned(NamedTuple):
    """Examples with the class ids of a model, and sentences on what was done for that."""

    examples: Sequence[Example]
    remarks: tuple[str, ...] = ()


def aligned_labels(
    examples: Sequence[Example], labels: LabelSpace, trained: LabelSpace, *, remap: bool = False
) -> Aligned:
    """`examples` with class ids of `labels` converted to those of `trained`, by class name.

    With `remap`, case and punctuation of names do not count, and classes that the model lacks are
    left out. Errors: ConfigError for a head that the data lacks and, without `remap`, for a class
    that the model lacks.
    """
    if labels == trained:
        return Aligned(examples)
    tables, remarks = {}, []
    for head, names in trained.classes.items():
        if head not in labels.classes:
            raise ConfigError(
                f"The model predicts {head!r}, but the data has labels of "
                f"{', '.join(labels.classes) or 'nothing'}. In a manifest, their column must be "
                f"named {head!r}."
            )
        given = labels.classes[head]
        found = same_names(given, names) if remap else {x: x for x in given if x in names}
        unknown = [name for name in given if name not in found]
        if unknown and not remap:
            raise ConfigError(_unknown(head, unknown, names))
        tables[head] = {i: names.index(found[x]) for i, x in enumerate(given) if x in found}
        remarks += _remarks(head, given, names, found)
    converted = [_renumbered(example, labels, tables) for example in examples]
    kept = [example for example in converted if example is not None]
    if not kept:
        raise ConfigError("No example is left: the model has none of the classes of the data.")
    if len(kept) < len(examples):
        remarks.append(f"{len(examples) - len(kept)} of {len(examples)} examples are left out.")
    return Aligned(kept, tuple(remarks))


def _unknown(head: str, unknown: Sequence[str], names: Sequence[str]) -> str:
    alike = same_names(unknown, names)
    first = next(iter(alike.items()), None)
    like = f" ({first[0]!r} as {first[1]!r})" if first else ""
    return (
        f"The data has {len(unknown)} classes of {head!r} that the model was not trained on: "
        f"{_some(unknown)}. It was trained on {_some(names)}. --remap-labels ignores case and "
        f"punctuation, which matches {len(alike)} of them{like}, and leaves out the examples of "
        "the others."
    )


def _remarks(
    head: str, given: Sequence[str], names: Sequence[str], found: Mapping[str, str]
) -> list[str]:
    remarks = []
    ids = [names.index(found[name]) for name in given if name in found]
    if ids != list(range(len(ids))):
        remarks.append(f"The data numbers the classes of {head!r} differently; names are matched.")
    if renamed := [f"{old!r} as {new!r}" for old, new in found.items() if old != new]:
        remarks.append(f"{len(renamed)} classes of {head!r} are renamed: {_some(renamed)}.")
    if missing := [name for name in given if name not in found]:
        remarks.append(
            f"The model lacks {len(missing)} of the {len(given)} classes of {head!r}: "
            f"{', '.join(missing)}."
        )
    return remarks


def _renumbered(
    example: Example, labels: LabelSpace, tables: Mapping[str, Mapping[int, int]]
) -> Example | None:
    """The example with its class ids mapped by the table of each head; None if a head has labels,
    and none of them is in its table."""
    check_labels(example, labels)  # -1, a missing label in some data sets, is no class
    ids = {
        head: tuple(table[i] for i in example.labels[head] if i in table)
        for head, table in tables.items()
    }
    if any(example.labels[head] and not ids[head] for head in tables):
        return None
    return dataclasses.replace(example, labels=ids)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
