"""Results on the terminal: of one evaluation, and of several in one table."""

from pathlib import Path

from scenic_video.commands.console import Terminal
from scenic_video.evaluators.evaluator import Result
from scenic_video.runs.evaluation.comparison import Comparison


def show_result(result: Result, name: str, path: Path, terminal: Terminal) -> None:
    """Prints what the evaluator `name` found, and the `path` it was written to."""
    title = ", ".join(filter(None, (result.heading(name), result.coverage)))
    terminal.results(title, result.metrics)
    for remark in result.remarks:
        terminal.line(remark)
    terminal.line(f"Results: {path}")


def show_comparison(comparison: Comparison, path: Path, terminal: Terminal) -> None:
    """Prints a row an evaluation, the notes, and the `path` they were written to."""
    columns, cells = comparison.table
    terminal.table(comparison.title, columns, cells, fold=False)
    for note in comparison.notes:
        terminal.line(note)
    terminal.line(f"Results: {path}")
