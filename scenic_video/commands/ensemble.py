"""An ensemble: several runs on the same examples, their scores averaged."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scenic_video.commands.comparison import Comparison, Row
from scenic_video.commands.evaluation import Evaluation
from scenic_video.commands.trained import load
from scenic_video.commands.trained_evaluation import evaluate
from scenic_video.config import ConfigError
from scenic_video.console import Terminal
from scenic_video.data.examples import Example, LabelSpace
from scenic_video.data.loading import label_arrays
from scenic_video.tasks.classification import Classification
from scenic_video.tasks.stored_logits import Scored, score

ENSEMBLE = "ensemble"
MAX_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Entry:
    """A run that takes part, and how much it weighs."""

    run: str
    weight: float = 1.0

    @classmethod
    def parse(cls, text: str) -> "Entry":
        """Reads "runs/a" or "runs/a:2"."""
        run, _, weight = text.strip().rpartition(":")
        try:
            entry = cls(run, float(weight)) if run else cls(weight)
        except ValueError:  # a colon of the path's own
            entry = cls(text.strip())
        if not entry.run or not 0 < entry.weight < np.inf:
            raise ConfigError(
                f"An ensemble is RUN or RUN:WEIGHT, comma after comma, with weights above 0; got "
                f"{text!r}."
            )
        return entry


@dataclasses.dataclass(frozen=True)
class Member:
    """A run that was evaluated. Its logits are in the order of the classes of `labels`."""

    entry: Entry
    task: Classification
    labels: LabelSpace
    evaluation: Evaluation

    def like(self, other: "Member") -> "Member":
        """The same with the classes in the order of `other`; others than its are an error."""
        if other.labels.multilabel != self.labels.multilabel:
            raise ConfigError(
                f"{self.entry.run} and {other.entry.run} cannot be averaged: one has a single "
                "label an example, the other several."
            )
        orders = {}
        for head in {**other.labels.classes, **self.labels.classes}:
            ours, theirs = (x.labels.classes.get(head, ()) for x in (self, other))
            if odd := sorted(set(ours) ^ set(theirs)):
                raise ConfigError(
                    f"{self.entry.run} and {other.entry.run} cannot be averaged: of head {head!r} "
                    f"only one of them knows {', '.join(odd[:MAX_NAMED])}."
                )
            orders[head] = [ours.index(name) for name in theirs]
        place = {head: np.argsort(order).tolist() for head, order in orders.items()}
        found = self.evaluation
        evaluation = dataclasses.replace(
            found,
            logits={head: found.logits[head][:, order] for head, order in orders.items()},
            labels={
                head: [tuple(place[head][i] for i in ids) for ids in found.labels[head]]
                for head in orders
            },
        )
        return dataclasses.replace(self, labels=other.labels, evaluation=evaluation)


def evaluate_ensemble(
    entries: Sequence[Entry],
    *,
    data: str | None = None,
    split: str | None = None,
    views: str | None = None,
    batch_size: int | None = None,
    average: str = "probabilities",
    terminal: Terminal | None = None,
) -> Comparison:
    """Evaluates every run on the same split, each in its own way, and the average of all.

    Each sees the videos by its own preprocessing, on its own mesh, from its own dataset unless
    `data` is given. Examples are matched by id, classes by name. Only examples that every run could
    read count, in every row; the others are named.
    """
    terminal = terminal or Terminal(quiet=True)
    members: list[Member] = []
    for entry in _distinct(entries):
        model = load(entry.run)
        if not isinstance(model.task, Classification):
            raise ConfigError(f"{entry.run} is no classifier, so there is nothing to average.")
        terminal.line(f"EVAL {entry.run} at step {model.meta['step']}")
        evaluation = evaluate(
            model,
            data=data,
            split=members[0].evaluation.split if members else split,
            views=views,
            batch_size=batch_size,
            terminal=terminal,
        )
        terminal.line(evaluation.coverage)
        member = Member(entry, model.task, model.labels, evaluation)
        members.append(member.like(members[0]) if members else member)
    return average_members(members, average=average)


def average_members(members: Sequence[Member], *, average: str) -> Comparison:
    """The rows of every member and of their average, over the examples that all could read."""
    first = members[0]
    rows_of = [{id: i for i, id in enumerate(member.evaluation.ids)} for member in members]
    ids = [id for id in first.evaluation.ids if all(id in rows for rows in rows_of)]
    if not ids:
        raise ConfigError("The runs' data have no example in common, by id.")
    places = [[rows[id] for id in ids] for rows in rows_of]
    labels = [_labels(m.evaluation, at) for m, at in zip(members, places, strict=True)]
    for member, found in zip(members[1:], labels[1:], strict=True):
        _check_same_labels(first, member, labels[0], found, ids)
    label = _label_batch(labels[0], first.labels)
    mask = np.all([m.evaluation.counted[at] for m, at in zip(members, places, strict=True)], axis=0)
    logits = [
        {head: x[at] for head, x in m.evaluation.logits.items()}
        for m, at in zip(members, places, strict=True)
    ]
    rows = []
    for member, own in zip(members, logits, strict=True):
        scored = score(member.task, {head: x[None] for head, x in own.items()}, label, mask)
        rows.append(_row(member.entry.run, scored, mask, member))
    together = {head: np.stack([own[head] for own in logits]) for head in first.labels.classes}
    weights = [member.entry.weight for member in members]
    scored = score(first.task, together, label, mask, weights=weights, average=average)
    return Comparison(
        title=f"{first.evaluation.split}, average of {average}",
        rows=[*rows, _row(ENSEMBLE, scored, mask)],
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
    """`folder`/ensemble_<split>_<views>.json; of other data than the runs', with its name."""
    dataset = f"{comparison.summary['dataset']}_" if with_data else ""
    views = comparison.rows[0].details["views"]
    return folder / f"{ENSEMBLE}_{dataset}{comparison.summary['split']}_{views}.json"


def _distinct(entries: Sequence[Entry]) -> Sequence[Entry]:
    runs = [str(Path(entry.run)) for entry in entries]
    if len(runs) < 2 or len(set(runs)) < len(runs):
        raise ConfigError(
            f"An ensemble is of two runs or more, each named once; got {', '.join(runs)}. A run "
            "counts double as RUN:2."
        )
    return entries


def _labels(evaluation: Evaluation, places: Sequence[int]) -> dict[str, list[tuple[int, ...]]]:
    return {head: [ids[i] for i in places] for head, ids in evaluation.labels.items()}


def _check_same_labels(first: Member, member: Member, ours, theirs, ids: Sequence[str]) -> None:
    for head in ours:
        pairs = zip(ids, ours[head], theirs[head], strict=True)
        differing = [id for id, a, b in pairs if set(a) != set(b)]
        if differing:
            raise ConfigError(
                f"The data of {first.entry.run} and {member.entry.run} label {len(differing)} "
                f"examples otherwise ({head}): {', '.join(differing[:MAX_NAMED])}. Evaluate both "
                "on the same --data."
            )


def _label_batch(labels, space: LabelSpace) -> dict[str, np.ndarray]:
    rows = (dict(zip(labels, row, strict=True)) for row in zip(*labels.values(), strict=True))
    arrays = [label_arrays(Example(id="", video="", labels=row), space) for row in rows]
    return {head: np.stack([row[head] for row in arrays]) for head in space.classes}


def _row(name: str, scored: Scored, mask: np.ndarray, member: Member | None = None) -> Row:
    details: dict[str, str | int | float] = {}
    if member is not None:
        details = {"weight": member.entry.weight, "step": member.evaluation.step}
        details["views"] = str(member.evaluation.views)
    return Row(name, int(mask.sum()), scored.metrics, scored.logits, details)


def _notes(members: Sequence[Member], ids: Sequence[str], mask: np.ndarray) -> list[str]:
    """What each run lacks, and what follows for the count."""
    notes = []
    for member in members:
        run, found = member.entry.run, member.evaluation
        notes += [f"unreadable for {run}: {v['id']}: {v['error']}" for v in found.unreadable]
        if silent := int((found.readable & ~found.counted).sum()):
            notes.append(f"{run} only hears, and {silent} videos are without sound.")
        if odd := sorted(set(found.ids) - set(ids)):
            named = ", ".join(odd[:MAX_NAMED]) + (", ..." if len(odd) > MAX_NAMED else "")
            notes.append(f"{len(odd)} examples of {run} are not in the data of all runs: {named}")
    total = len(set().union(*(member.evaluation.ids for member in members)))
    if int(mask.sum()) < total:
        notes.append(
            f"{int(mask.sum())} of {total} examples count, in every row: those that all runs have."
        )
    return notes
