"""The report of a run: a self-contained HTML page."""

import dataclasses
import importlib.resources
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
from jaxtyping import UInt8

from scenic_video.number_formats import format_seconds, format_value
from scenic_video.visualize import confusion as confusion_lib
from scenic_video.visualize import figures

LogRow = Mapping[str, Any]
"""A row of metrics.jsonl."""

REPORT_FILE = "report.html"
MAX_FRAMES, FRAME_HEIGHT = 8, 112
MAX_PREDICTIONS = 3
MAX_POINTS = 1000
SCORE = re.compile(r"accuracy|top_?\d|\bmap\b|average_precision|auc|share|precision|recall", re.I)
"""Names of metrics in [0, 1], which are shown in percent."""


class Sample(NamedTuple):
    """A clip and its prediction.

    `true` has the names of the correct classes by head, `predicted` the names of the most probable
    classes with their probabilities, most likely first.
    """

    frames: UInt8[np.ndarray, "t h w 3"]
    true: Mapping[str, Sequence[str]]
    predicted: Mapping[str, Sequence[tuple[str, float]]]
    id: str


@dataclasses.dataclass(frozen=True)
class ReportContents:
    """The contents of a report; sections without data are left out.

    `history` has the rows of metrics.jsonl. `results` maps metrics to numbers, or names of
    evaluations to such mappings. `confusion` has the counts [true class, predicted class] for each
    single-label head; other heads have no matrix.
    """

    title: str
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    history: Sequence[LogRow]
    results: Mapping[str, Any]
    class_names: Mapping[str, Sequence[str]]
    confusion: Mapping[str, np.ndarray]
    samples: Sequence[Sample] = ()
    command: str | None = None


def write_report(workdir: str | os.PathLike[str], contents: ReportContents) -> Path:
    """Writes `workdir`/report.html and returns its path."""
    template = importlib.resources.files("scenic_video.visualize").joinpath("report.html.j2")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(template.read_text(encoding="utf-8")).render(_parts(contents))
    path = Path(workdir) / REPORT_FILE
    path.write_text(page, encoding="utf-8")
    return path


def _parts(contents: ReportContents) -> dict[str, Any]:
    """The variables of the template."""
    return {
        "title": contents.title,
        "summary": _summary(contents.history),
        **_results(contents.results),
        "figures": _figures(contents.history),
        "confusions": [
            confusion_lib.view(head, contents.class_names[head], np.asarray(counts))
            for head, counts in contents.confusion.items()
        ],
        "samples": [_sample(sample) for sample in contents.samples],
        "config": _groups(contents.config),
        "environment": [(name, format_value(x)) for name, x in contents.environment.items()],
        "command": contents.command,
    }


def format_metric(name: str, value: Any) -> str:
    """ "accuracy" 0.5 -> "50.0 %"; other numbers in four digits; None (not finite) -> "–"."""
    if value is None:
        return "–"
    if isinstance(value, float) and SCORE.search(name):
        return f"{value:.1%}".replace("%", " %")
    return format_value(value)


def _results(results: Mapping[str, Any]) -> dict[str, Any]:
    """The table of results (one column per evaluation) and the numbers of the headline."""
    nested = {k: v for k, v in results.items() if isinstance(v, Mapping)}
    flat = {k: v for k, v in results.items() if not isinstance(v, Mapping)}
    columns = ({"": flat} if flat else {}) | nested
    names = list(dict.fromkeys(name for metrics in columns.values() for name in metrics))
    rows = [
        (name, [format_metric(name, m[name]) if name in m else "" for m in columns.values()])
        for name in names
    ]
    main = list(columns)[-1:]
    headline = [(name, cells[-1]) for name, cells in rows if main and name in columns[main[0]]]
    return {"evaluations": list(columns), "results": rows, "headline": headline[:4]}


def _summary(history: Sequence[LogRow]) -> str:
    if not history:
        return ""
    seconds = history[-1]["time"] - history[0]["time"]
    return f"{history[-1]['step']:,} steps · {format_seconds(seconds)} from first to last log"


def _figures(history: Sequence[LogRow]) -> list[dict[str, str]]:
    """The training curves: loss, scores, learning rate, speed, shares of time, and all others."""
    series = _series(history)
    panels: dict[str, dict[str, figures.Points]] = {}
    for name, points in series.items():
        title, line = _panel(name)
        if title:
            panels.setdefault(title, {})[line] = points
    rendered = []
    for title in sorted(panels, key=_position):
        lines = dict(sorted(panels[title].items()))
        if title == TIME_SPLIT:
            svg = figures.shares(lines, label=title)
        else:
            svg = figures.curves(
                lines, label=title, percent=title == SCORES, smooth=title != LEARNING_RATE
            )
        rendered.append({"title": title, "svg": svg})
    return rendered


SCORES, LEARNING_RATE = "Accuracy", "Learning rate"
TIME_SPLIT = "Shares of training time"
ORDER = ["Loss", SCORES, LEARNING_RATE, "Clips per second", TIME_SPLIT]


def _position(title: str) -> tuple[int, str]:
    return (ORDER.index(title) if title in ORDER else len(ORDER), title)


def _panel(name: str) -> tuple[str | None, str]:
    """The panel of a metric (None: it is not shown), and the name of its line."""
    split, _, quantity = name.rpartition("/")
    if quantity == "loss":
        return "Loss", split or "train"
    if split == "time" and quantity.endswith("_share"):
        return TIME_SPLIT, quantity.removesuffix("_share").replace("_", " ")
    if quantity in ("steps_per_second", "epoch"):
        return None, name
    if quantity in ("learning_rate", "clips_per_second"):
        return quantity.replace("_", " ").capitalize(), quantity
    if SCORE.search(quantity) and not quantity.endswith("_share"):
        kind = re.sub(r"^accuracy_?", "", quantity).replace("_", " ")
        return SCORES, f"{split} {kind}".strip() or quantity
    return f"{split} {quantity}".strip().replace("_", " ").capitalize(), quantity


def _series(history: Sequence[LogRow]) -> dict[str, figures.Points]:
    """Metric -> steps and values; at most `MAX_POINTS` of them, evenly spaced."""
    points: dict[str, tuple[list, list]] = {}
    for row in history:
        for name, value in row.items():
            if name not in ("step", "time"):
                steps, values = points.setdefault(name, ([], []))
                steps.append(row["step"])
                values.append(np.nan if value is None else value)
    return {
        name: (steps[:: len(steps) // MAX_POINTS + 1], values[:: len(steps) // MAX_POINTS + 1])
        for name, (steps, values) in points.items()
        if np.isfinite(values).any() and np.any(np.nan_to_num(values))
    }


def _sample(sample: Sample) -> dict[str, Any]:
    heads = []
    for head, true in sample.true.items():
        predictions = sample.predicted[head][:MAX_PREDICTIONS]
        heads.append(
            {
                "name": head if len(sample.true) > 1 else "",
                "true": ", ".join(true),
                "right": bool(predictions) and predictions[0][0] in true,
                "predictions": [(name, float(p), name in true) for name, p in predictions],
            }
        )
    return {
        "id": sample.id,
        "frames": figures.thumbnails(sample.frames, count=MAX_FRAMES, height=FRAME_HEIGHT),
        "heads": heads,
        "right": all(head["right"] for head in heads),
    }


def _groups(config: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """A config as groups of (dotted name, value), one group per node; plain fields come first."""
    plain = [(name, value) for name, value in config.items() if not isinstance(value, Mapping)]
    groups = [("", [(name, _text(value)) for name, value in plain])] if plain else []
    for name, node in config.items():
        if isinstance(node, Mapping):
            groups.append((name, [(key, _text(value)) for key, value in _flat(node)]))
    return groups


def _flat(node: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows = []
    for name, value in node.items():
        if isinstance(value, Mapping) and value:
            rows.extend(_flat(value, f"{prefix}{name}."))
        else:
            rows.append((prefix + name, value))
    return rows


def _text(value: Any) -> str:
    return str(value)
