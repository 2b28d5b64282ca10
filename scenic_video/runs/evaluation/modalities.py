"""Evaluates one model with each modality alone, and with several."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenic_video.config import ConfigError, near
from scenic_video.evaluators.split_result import SplitResult
from scenic_video.modalities.modality import Modality
from scenic_video.runs.evaluation.comparison import Comparison, ComparisonRow
from scenic_video.runs.evaluation.trained_evaluation import evaluate
from scenic_video.runs.evaluation.trained_model import TrainedModel
from scenic_video.tasks.classification import Classification
from scenic_video.tasks.side_by_side import SideBySide


def parse(text: str, ordered: Sequence[str]) -> list[tuple[str, ...]]:
    """Parses "rgb,rgb+audio"; "all" is each of a model's modalities alone, then together.

    Within a row they are `ordered`.
    """
    if text == "all":
        alone = [(name,) for name in ordered]
        return alone if len(alone) == 1 else [*alone, tuple(ordered)]
    rows = []
    for requested in text.split(","):
        names = requested.strip().split("+")
        for name in names:
            if name not in ordered:
                raise ConfigError(
                    f"--modalities={text}: the model reads {', '.join(ordered)}, not {name!r}"
                    f"{near(name, ordered)} Give some of them, such as {ordered[0]}, joined by + "
                    "and separated by commas, or all."
                )
        rows.append(tuple(name for name in ordered if name in names))
    return list(dict.fromkeys(rows))


def evaluate_modalities(model: TrainedModel, requested: str, **options: Any) -> Comparison:
    """A row for each of the `requested` sets of modalities, from one decode of every video.

    `options` are those of `evaluate`.
    """
    if not isinstance(model.task, Classification):
        raise ConfigError(
            f"--modalities needs a classifier; this run's task is {type(model.task).__name__}."
        )
    modalities = model.preprocessing.modalities
    letters = letters_of(modalities)
    requests = parse(requested, list(letters))
    shown = {"".join(letters[name] for name in names): names for names in requests}
    tasks = {
        name: dataclasses.replace(model.task, modalities=names) for name, names in shown.items()
    }
    together = evaluate(dataclasses.replace(model, task=SideBySide(tasks)), **options)
    rows = [_row(name, _part(together, name, names)) for name, names in shown.items()]
    return Comparison(
        title=f"{together.split}, {together.views} views, {together.coverage}",
        rows=rows,
        ids=together.ids,
        notes=[*together.remarks, *absences(shown, modalities)],
        summary=together.summary | {"metrics": {row.name: row.metrics for row in rows}},
    )


def path_of(comparison: Comparison, folder: Path, *, with_data: bool) -> Path:
    """`folder`/<split>_<views>_modalities.json, with the dataset's name if `with_data`."""
    found = comparison.summary
    dataset = f"{found['dataset']}_" if with_data else ""
    return folder / f"{dataset}{found['split']}_{found['views']}_modalities.json"


def letters_of(modalities: Mapping[str, Modality]) -> dict[str, str]:
    """The letter of each modality in the names of rows; those that may be absent come first.

    Modalities that share a letter have their name in brackets instead.
    """
    ordered = sorted(modalities, key=lambda name: not modalities[name].can_be_absent)
    letters = {name: modalities[name].letter or name[0].upper() for name in ordered}
    found = list(letters.values())
    return {
        name: letter if found.count(letter) == 1 else f"({name})"
        for name, letter in letters.items()
    }


def _part(together: SplitResult, name: str, modalities: tuple[str, ...]) -> SplitResult:
    """The result of one of the tasks that were evaluated side by side."""

    def own(named: dict[str, Any]) -> dict[str, Any]:
        start = f"{name}/"
        return {k.removeprefix(start): v for k, v in named.items() if k.startswith(start)}

    return dataclasses.replace(
        together, modalities=modalities, metrics=own(together.metrics), logits=own(together.logits)
    )


def _row(name: str, part: SplitResult) -> ComparisonRow:
    details: dict[str, str | int | float] = {"modalities": "+".join(part.modalities)}
    return ComparisonRow(name, int(part.counted.sum()), part.metrics, part.logits, details)


def absences(rows: Mapping[str, Sequence[str]], modalities: Mapping[str, Modality]) -> list[str]:
    """How examples that lack a modality count in rows such as A, V and AV, if it differs."""
    optional = {name: modality for name, modality in modalities.items() if modality.can_be_absent}
    notes = [_absence(name, modality.absence, rows) for name, modality in optional.items()]
    return [note for note in notes if note]


def _absence(modality: str, absence: str, rows: Mapping[str, Sequence[str]]) -> str:
    counted = []
    if with_it := [row for row, names in rows.items() if modality in names and len(names) > 1]:
        counted.append(f"counts in {', '.join(with_it)} with its other modalities")
    if alone := [row for row, names in rows.items() if tuple(names) == (modality,)]:
        counted.append(f"is left out of {alone[0]}")
    if not counted:
        return ""
    reason = f"; {absence}" if absence else ""
    return f"An example without {modality} {' and '.join(counted)}{reason}."
