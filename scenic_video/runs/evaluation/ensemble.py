"""Ensembles: the averaged scores of several runs on the same examples."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.config import ConfigError
from scenic_video.data.examples import Example, LabelSpace
from scenic_video.data.input.rows import label_arrays
from scenic_video.evaluators.split_result import SplitResult
from scenic_video.runs.evaluation.comparison import Comparison, ComparisonRow
from scenic_video.runs.evaluation.trained_evaluation import evaluate
from scenic_video.runs.evaluation.trained_model import load
from scenic_video.runs.reporter import SILENT, Reporter
from scenic_video.tasks.classification import Classification
from scenic_video.tasks.stored_logits import Scored, score

ENSEMBLE = "ensemble"
MAX_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Entry:
    """A run of an ensemble, and its weight."""

    run: str
    weight: float = 1.0

    @classmethod
    def parse(cls, text: str) -> "Entry":
        """Parses "runs/a" or "runs/a:2"; the colon may be part of an existing folder."""
        run, _, weight = text.strip().rpartition(":")
        try:
            weighted = run and not Path(text.strip()).is_dir()
            entry = cls(run, float(weight)) if weighted else cls(text.strip())
        except ValueError:  # the colon is part of the path
            entry = cls(text.strip())
        if not entry.run or not 0 < entry.weight < np.inf:
            raise ConfigError(
                f"An ensemble is RUN or RUN:WEIGHT, separated by commas, with weights above 0; got "
                f"{text!r}."
            )
        return entry


@dataclasses.dataclass(frozen=True)
class Member:
    """A run that was evaluated. Its logits are in the order of the classes of `labels`."""

    entry: Entry
    task: Classification
    labels: LabelSpace
    evaluation: SplitResult

    def on(self, ids: Sequence[str]) -> "Member":
        """This member on the examples `ids`, in that order."""
        found = self.evaluation
        place = {id: index for index, id in enumerate(found.ids)}
        at = [place[id] for id in ids]
        evaluation = dataclasses.replace(
            found,
            ids=list(ids),
            labels={head: [labels[i] for i in at] for head, labels in found.labels.items()},
            logits={head: x[at] for head, x in found.logits.items()},
            readable=found.readable[at],
            present={name: x[at] for name, x in found.present.items()},
        )
        return dataclasses.replace(self, evaluation=evaluation)

    def like(self, other: "Member") -> "Member":
        """This member with the classes in the order of `other`; ConfigError if they differ."""
        self._check_same_classes(other)
        found, orders, places = self.evaluation, {}, {}
        for head, names in other.labels.classes.items():
            orders[head] = [self.labels.classes[head].index(name) for name in names]
            places[head] = np.argsort(orders[head]).tolist()
        evaluation = dataclasses.replace(
            found,
            logits={head: found.logits[head][:, order] for head, order in orders.items()},
            labels={
                head: [tuple(place[i] for i in ids) for ids in found.labels[head]]
                for head, place in places.items()
            },
        )
        return dataclasses.replace(self, labels=other.labels, evaluation=evaluation)

    def _check_same_classes(self, other: "Member") -> None:
        refusal = f"{self.entry.run} and {other.entry.run} cannot be averaged: "
        if other.labels.multilabel != self.labels.multilabel:
            raise ConfigError(f"{refusal}one has a single label per example, the other several.")
        for head in {**other.labels.classes, **self.labels.classes}:
            ours, theirs = (x.labels.classes.get(head, ()) for x in (self, other))
            if odd := sorted(set(ours) ^ set(theirs)):
                named = ", ".join(odd[:MAX_NAMED])
                raise ConfigError(
                    f"{refusal}only one of them has the classes {named} of head {head!r}."
                )


def evaluate_ensemble(
    entries: Sequence[Entry],
    *,
    split: str | None = None,
    average: str = "probabilities",
    reporter: Reporter = SILENT,
    **options: Any,
) -> Comparison:
    """Evaluates every run, and the average of all, on the same split.

    Each run has its own preprocessing and mesh, and its own dataset unless `data` is given.
    Examples are matched by id, classes by name. Only examples that every run could read count, in
    every row; the others are named. `options` are those of `evaluate_member`.
    """
    members: list[Member] = []
    for entry in _distinct(entries):
        split = members[0].evaluation.split if members else split
        member = evaluate_member(entry, split=split, reporter=reporter, **options)
        members.append(member.like(members[0]) if members else member)
    return average_members(members, average=average)


def evaluate_member(
    entry: Entry, *, reporter: Reporter = SILENT, trust: bool = False, **options: Any
) -> Member:
    """Evaluates one run; `trust` is that of `load`, `options` are those of `evaluate`."""
    model = load(entry.run, trust=trust)
    if not isinstance(model.task, Classification):
        raise ConfigError(f"{entry.run} is not a classifier, so it has no scores to average.")
    reporter.line(f"Evaluating {entry.run} at step {model.meta['step']}")
    evaluation = evaluate(model, reporter=reporter, **options)
    reporter.line(evaluation.coverage)
    return Member(entry, model.task, model.labels, evaluation)


def average_members(members: Sequence[Member], *, average: str) -> Comparison:
    """The rows of every member and of their average, over the examples that all could read."""
    first = members[0]
    ids = _common_ids(members)
    aligned = [member.on(ids) for member in members]
    for member in aligned[1:]:
        _check_same_labels(aligned[0], member)
    label = _label_batch(aligned[0])
    mask = np.all([member.evaluation.counted for member in aligned], axis=0)
    found = [member.evaluation.logits for member in aligned]
    scores = [
        score(member.task, {head: x[None] for head, x in logits.items()}, label, mask)
        for member, logits in zip(aligned, found, strict=True)
    ]
    together = {head: np.stack([logits[head] for logits in found]) for head in label}
    weights = [member.entry.weight for member in members]
    of_all = score(first.task, together, label, mask, weights=weights, average=average)
    rows = [_row(member, own, mask) for member, own in zip(members, scores, strict=True)]
    return Comparison(
        title=f"{first.evaluation.split}, average of {average}",
        rows=[*rows, ComparisonRow(ENSEMBLE, int(mask.sum()), of_all.metrics, of_all.logits, {})],
        ids=ids,
        notes=_notes(members, ids, mask),
        summary={
            "dataset": first.evaluation.dataset,
            "split": first.evaluation.split,
            "average": average,
            "num_examples": len(ids),
            "num_counted": int(mask.sum()),
            "unreadable": {m.entry.run: m.evaluation.unreadable for m in members},
        },
    )


def path_of(comparison: Comparison, folder: Path, *, with_data: bool) -> Path:
    """`folder`/ensemble_<split>_<views>.json, with the dataset's name if `with_data`."""
    dataset = f"{comparison.summary['dataset']}_" if with_data else ""
    views = comparison.rows[0].details["views"]
    return folder / f"{ENSEMBLE}_{dataset}{comparison.summary['split']}_{views}.json"


def _distinct(entries: Sequence[Entry]) -> Sequence[Entry]:
    runs = {Path(entry.run).resolve() for entry in entries}
    if len(entries) < 2 or len(runs) < len(entries):
        named = ", ".join(entry.run for entry in entries)
        raise ConfigError(
            f"An ensemble needs two or more different runs; got {named}. To count a run twice, "
            "write RUN:2."
        )
    return entries


def _common_ids(members: Sequence[Member]) -> list[str]:
    """The ids that all members have, in the order of the first."""
    shared = set.intersection(*(set(member.evaluation.ids) for member in members))
    if not shared:
        raise ConfigError("The datasets of the runs have no example id in common.")
    return [id for id in members[0].evaluation.ids if id in shared]


def _check_same_labels(first: Member, other: Member) -> None:
    for head, ours in first.evaluation.labels.items():
        rows = zip(first.evaluation.ids, ours, other.evaluation.labels[head], strict=True)
        differing = [id for id, a, b in rows if set(a) != set(b)]
        if differing:
            raise ConfigError(
                f"The data of {first.entry.run} and {other.entry.run} label {len(differing)} "
                f"examples differently ({head}): {', '.join(differing[:MAX_NAMED])}. Evaluate both "
                "on the same --data."
            )


def _label_batch(member: Member) -> dict[str, np.ndarray]:
    """The labels as tasks read them: any of several is right for models of one label."""
    labels = member.evaluation.labels
    single = all(len(ids) == 1 for of_head in labels.values() for ids in of_head)
    space = dataclasses.replace(member.labels, multilabel=member.labels.multilabel or not single)
    rows = (dict(zip(labels, row, strict=True)) for row in zip(*labels.values(), strict=True))
    arrays = [label_arrays(Example(id="", video="", labels=row), space) for row in rows]
    return {head: np.stack([row[head] for row in arrays]) for head in labels}


def _row(member: Member, scored: Scored, mask: np.ndarray) -> ComparisonRow:
    details: dict[str, str | int | float] = {
        "weight": member.entry.weight,
        "step": member.evaluation.step,
        "views": str(member.evaluation.views),
    }
    return ComparisonRow(member.entry.run, int(mask.sum()), scored.metrics, scored.logits, details)


def _notes(members: Sequence[Member], ids: Sequence[str], mask: np.ndarray) -> list[str]:
    """The examples that each run lacks, and the number that count."""
    notes = []
    for member in members:
        run, found = member.entry.run, member.evaluation
        notes += [f"unreadable for {run}: {v['id']}: {v['error']}" for v in found.unreadable]
        if lacking := int((found.readable & ~found.counted).sum()):
            notes.append(
                f"{run} uses only {'+'.join(found.modalities)}, but {lacking} videos have none."
            )
        if odd := sorted(set(found.ids) - set(ids)):
            named = ", ".join(odd[:MAX_NAMED]) + (", ..." if len(odd) > MAX_NAMED else "")
            notes.append(f"{len(odd)} examples of {run} are not in the data of all runs: {named}")
    total = len(set().union(*(member.evaluation.ids for member in members)))
    if int(mask.sum()) < total:
        notes.append(
            f"{int(mask.sum())} of {total} examples count, in every row: those that all runs have."
        )
    return notes
