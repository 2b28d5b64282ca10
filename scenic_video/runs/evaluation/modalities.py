"""What one model does with audio alone, with pictures alone, and with both."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scenic_video.config import ConfigError, near
from scenic_video.evaluators.split_result import SplitResult
from scenic_video.runs.evaluation.comparison import Comparison, Row
from scenic_video.runs.evaluation.trained_evaluation import evaluate
from scenic_video.runs.evaluation.trained_model import TrainedModel
from scenic_video.tasks.classification import Classification
from scenic_video.tasks.side_by_side import SideBySide

LETTERS = {"audio": "A", "rgb": "V", "flow": "F"}


def parse(text: str, modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """Reads "rgb,rgb+audio"; "all" is each of a model's `modalities` alone, then together."""
    ordered = sorted(modalities, key=list(LETTERS).index)
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
    shown = {_letters(names): names for names in parse(requested, model.preprocessing.modalities)}
    tasks = {
        name: dataclasses.replace(model.task, modalities=names) for name, names in shown.items()
    }
    together = evaluate(dataclasses.replace(model, task=SideBySide(tasks)), **options)
    rows = [_row(name, _part(together, name, names)) for name, names in shown.items()]
    return Comparison(
        title=f"{together.split}, {together.views} views, {together.coverage}",
        rows=rows,
        ids=together.ids,
        notes=_notes(together, list(shown)),
        summary=together.summary | {"metrics": {row.name: row.metrics for row in rows}},
    )


def path_of(comparison: Comparison, folder: Path, *, with_data: bool) -> Path:
    """`folder`/<split>_<views>_modalities.json; of other data than the run's, with its name."""
    found = comparison.summary
    dataset = f"{found['dataset']}_" if with_data else ""
    return folder / f"{dataset}{found['split']}_{found['views']}_modalities.json"


def _letters(names: Sequence[str]) -> str:
    """Such as AV."""
    return "".join(LETTERS[name] for name in names)


def _part(together: SplitResult, name: str, modalities: tuple[str, ...]) -> SplitResult:
    """What one of the tasks side by side found."""

    def own(named: dict[str, Any]) -> dict[str, Any]:
        start = f"{name}/"
        return {k.removeprefix(start): v for k, v in named.items() if k.startswith(start)}

    return dataclasses.replace(
        together, modalities=modalities, metrics=own(together.metrics), logits=own(together.logits)
    )


def _row(name: str, part: SplitResult) -> Row:
    details: dict[str, str | int | float] = {"modalities": "+".join(part.modalities)}
    return Row(name, int(part.counted.sum()), part.metrics, part.logits, details)


def _notes(together: SplitResult, rows: Sequence[str]) -> list[str]:
    notes = together.remarks
    return notes if together.has_audio is None else [*notes, *rule(rows)]


def rule(rows: Sequence[str]) -> list[str]:
    """A note on how examples without audio count in rows such as A, V and AV, if it differs."""
    counted = []
    if with_audio := [row for row in rows if "A" in row and row != "A"]:
        counted.append(f"counts in {', '.join(with_audio)} with its other modalities")
    if "A" in rows:
        counted.append("is left out of A")
    if not counted:
        return []
    return [f"An example without audio {' and '.join(counted)}; silent tracks count as no audio."]
