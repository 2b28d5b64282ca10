"""Evaluations of several models, or of one under several conditions, in one table."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.runs.evaluation.result_files import write_results


@dataclasses.dataclass(frozen=True)
class ComparisonRow:
    """The result of an evaluation of `num_examples`; `logits` are per head [N, C].

    `details` describe what was evaluated.
    """

    name: str
    num_examples: int
    metrics: dict[str, float]
    logits: dict[str, np.ndarray]
    details: dict[str, str | int | float]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Evaluations of the same split. `notes` are sentences about the examples that count.

    The logits of all rows are of the examples `ids`. `summary` holds the other fields of the file.
    """

    title: str
    rows: Sequence[ComparisonRow]
    ids: Sequence[str]
    notes: Sequence[str]
    summary: dict[str, Any]

    @property
    def table(self) -> tuple[list[str], list[list[Any]]]:
        """The names of the columns, and the cells of each row."""
        details = list(dict.fromkeys(name for row in self.rows for name in row.details))
        metrics = list(dict.fromkeys(name for row in self.rows for name in row.metrics))
        cells = [
            [row.name, *(row.details.get(name, "") for name in details), row.num_examples]
            + [row.metrics.get(name, "") for name in metrics]
            for row in self.rows
        ]
        return ["", *details, "examples", *metrics], cells

    def write(self, path: Path) -> Path:
        """Writes `path`, a .json, and beside it an .npz of logits, named "logits/row/head"."""
        rows = [
            {"name": row.name, **row.details}
            | {"num_examples": row.num_examples, "metrics": row.metrics}
            for row in self.rows
        ]
        summary = {**self.summary, "rows": rows, "notes": list(self.notes)}
        arrays: dict[str, Any] = {"ids": np.array(self.ids)} | {
            f"logits/{row.name}/{head}": x for row in self.rows for head, x in row.logits.items()
        }
        return write_results(path, summary, arrays)
