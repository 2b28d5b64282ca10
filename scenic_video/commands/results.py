"""Prints the results of one evaluation, or of several in one table."""

from pathlib import Path

from scenic_video.commands.console import Terminal
from scenic_video.evaluators.evaluator import Result
from scenic_video.runs.evaluation.comparison import Comparison


def show_result(result: Result, name: str, path: Path, terminal: Terminal) -> None:
    """Prints the result of the evaluator `name`, and the `path` of its file."""
    title = ", ".join(filter(None, (result.heading(name), result.coverage)))
    terminal.results(title, result.metrics)
    for remark in result.remarks:
        terminal.line(remark)
    terminal.line(f"Results: {path}")


def show_comparison(comparison: Comparison, path: Path, terminal: Terminal) -> None:
    """Prints a row per evaluation, the notes, and the `path` of their file."""
    columns, cells = comparison.table
    terminal.table(comparison.title, columns, cells, fold=False)
    for note in comparison.notes:
        terminal.line(note)
    terminal.line(f"Results: {path}")
