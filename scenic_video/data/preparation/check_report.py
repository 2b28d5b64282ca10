"""The results of `checking.check` on a dataset: as JSON, and as tables for a terminal."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MOST_NAMED = 20
"""The most rows of a list in a table; the JSON has all of them."""

Table = tuple[str, Sequence[str], Sequence[Sequence[Any]]]
"""Title, names of the columns, rows."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """A problem of an example, described by `what`."""

    split: str
    id: str
    file: str
    what: str


@dataclasses.dataclass(frozen=True)
class Spread:
    """Minimum, median and maximum of some numbers."""

    minimum: float
    median: float
    maximum: float


@dataclasses.dataclass(frozen=True)
class SplitSummary:
    """Statistics of a split. Durations are in seconds, of the part of a file that an example
    covers.

    `histogram` is the number of examples by head and class.
    """

    num_examples: int
    num_unreadable: int
    duration: Spread | None
    short_side: Spread | None
    frame_rate: Spread | None
    histogram: Mapping[str, Mapping[str, int]]


@dataclasses.dataclass(frozen=True)
class CheckReport:
    """The results of a check.

    `unreadable` examples cannot be used in training; the decoder's message is given. `damaged`
    files open, but lack a part or contain frames that do not decode; each is listed once.
    `without_usable` is empty for a modality, such as "optical flow", of which no example has files.
    `shared` examples are also in an earlier split, by id, file or content; `contradictory` ones
    have the clip of another example but other labels; `wrong_labels` are not class ids.
    `unused_classes` are the names, by head, without examples in any split. `remarks` are sentences
    on skipped files and names of classes.
    """

    name: str
    fingerprint: str
    splits: Mapping[str, SplitSummary]
    unreadable: Sequence[Finding]
    damaged: Sequence[Finding]
    beyond_end: Sequence[Finding]
    without_audio: Sequence[Finding]
    rotated: Sequence[Finding]
    variable_frame_rate: Sequence[Finding]
    without_usable: Mapping[str, Sequence[Finding]]
    shared: Sequence[Finding]
    contradictory: Sequence[Finding]
    wrong_labels: Sequence[Finding]
    unused_classes: Mapping[str, Sequence[str]]
    remarks: Sequence[str]

    @property
    def num_examples(self) -> int:
        return sum(split.num_examples for split in self.splits.values())

    def to_json(self) -> dict[str, Any]:
        """The report as plain dictionaries, lists, strings and numbers."""
        return dataclasses.asdict(self)

    def tables(self) -> list[Table]:
        """Tables for a terminal; lists are cut to their first `MOST_NAMED` rows."""
        return [
            self._summary(),
            *self._histograms(),
            *self._unused(),
            *_findings("Unreadable", self.unreadable),
            *_findings("Damaged", self.damaged),
            *_findings("Beyond the end of their file", self.beyond_end),
            *self._unusable(),
            *_findings("In more than one split", self.shared),
            *_findings("The same clip with other labels", self.contradictory),
            *_findings("Labels that are not classes", self.wrong_labels),
            *_findings("Rotated or flipped by metadata", self.rotated),
            *_findings("Frames at uneven intervals", self.variable_frame_rate),
            *_findings("Without audio", self.without_audio),
        ]

    def _unusable(self) -> Iterator[Table]:
        for name, found in self.without_usable.items():
            yield from _findings(f"{name.capitalize()} that cannot be used", found)

    def verdict(self) -> str:
        """The last lines: whether all examples can be read, and possible problems."""
        lost = len(self.unreadable)
        first = f"All {self.num_examples} examples can be read."
        if lost:
            first = f"{lost} of {self.num_examples} examples cannot be read."
        remarks = [*self._counted(), *self.remarks]
        if not remarks:
            return first
        return "\n".join([f"{first} Possible problems:", *(f"- {remark}" for remark in remarks)])

    def _counted(self) -> list[str]:
        counted = [
            f"{len(found)} {words}"
            for found, words in (
                (self.wrong_labels, "have labels that are not classes"),
                (self.damaged, "are in damaged files"),
                (self.beyond_end, "extend beyond the end of their file"),
                *((x, f"have no usable {name}") for name, x in self.without_usable.items()),
                (self.shared, "are in more than one split"),
                (self.contradictory, "have the clip of another example but other labels"),
            )
            if found
        ]
        return counted + [
            f"{len(names)} classes of {head!r} have no example"
            for head, names in self.unused_classes.items()
        ]

    def _summary(self) -> Table:
        columns = ("", *self.splits)
        rows: list[tuple[str, ...]] = []
        for name, show in (
            ("examples", lambda split: split.num_examples),
            ("unreadable", lambda split: split.num_unreadable),
            ("seconds", lambda split: _range(split.duration)),
            ("short side, pixels", lambda split: _range(split.short_side)),
            ("frames per second", lambda split: _range(split.frame_rate)),
        ):
            rows.append((name, *(str(show(split)) for split in self.splits.values())))
        title = f"{self.name} ({self.fingerprint})"
        return title, columns, rows

    def _histograms(self) -> list[Table]:
        tables = []
        heads = dict.fromkeys(head for split in self.splits.values() for head in split.histogram)
        for head in heads:
            names = next(iter(self.splits.values())).histogram[head]
            counts = [
                (name, *(split.histogram[head][name] for split in self.splits.values()))
                for name in names
            ]
            title = f"Examples by {head}"
            if len(counts) > MOST_NAMED:
                counts = sorted(counts, key=lambda row: sum(row[1:]))[:MOST_NAMED]
                title += f" (the {MOST_NAMED} rarest of {len(names)} classes)"
            tables.append((title, (head, *self.splits), counts))
        return tables

    def _unused(self) -> list[Table]:
        rows = [(head, ", ".join(names)) for head, names in self.unused_classes.items()]
        return [("Classes without examples", ("head", "classes"), rows)] if rows else []


def _findings(title: str, findings: Sequence[Finding]) -> list[Table]:
    if not findings:
        return []
    rows = [(found.split, found.id, found.what) for found in findings[:MOST_NAMED]]
    shown = "" if len(rows) == len(findings) else f", the first {len(rows)} of them"
    return [(f"{title}: {len(findings)}{shown}", ("split", "id", ""), rows)]


def _range(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    if spread.minimum == spread.maximum:
        return f"{spread.median:.4g}"
    return f"{spread.minimum:.4g} .. {spread.median:.4g} .. {spread.maximum:.4g}"
