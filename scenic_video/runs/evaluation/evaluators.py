"""The evaluators that a config names: run, and written down."""

from collections.abc import Callable, Mapping
from pathlib import Path

import jax

from scenic_video.console import Terminal
from scenic_video.evaluators.evaluator import Evaluator
from scenic_video.trainer import TrainState
from scenic_video.writers import json_of

Results = dict[str, dict[str, float]]
"""Evaluator -> metric -> value."""


def run_evaluators(
    evaluators: Mapping[str, Evaluator],
    state: TrainState,
    terminal: Terminal,
    *,
    on_batch: Callable[[], None] = lambda: None,
) -> Results:
    """What each evaluator finds of a state; calls `on_batch` after every batch."""
    results = {}
    for name, evaluator in evaluators.items():
        with terminal.counting(name) as counting:
            results[name] = evaluator(state, on_batch=both(on_batch, counting))
    return results


def both(
    on_batch: Callable[[], None], counting: Callable[[int, int], None]
) -> Callable[[int, int], None]:
    """A function of (done, total) that calls the two."""

    def counted(done: int, total: int) -> None:
        on_batch()
        counting(done, total)

    return counted


def named(results: Results) -> dict[str, float]:
    """As they are logged: "evaluator/metric" -> value."""
    return {f"{name}/{k}": v for name, found in results.items() for k, v in found.items()}


def show(results: Results, state: TrainState, folder: Path, terminal: Terminal) -> None:
    """Prints the results of each evaluator and writes them to `folder`/<evaluator>.json."""
    step = int(jax.device_get(state.step))
    for name, found in results.items():
        path = folder / f"{name}.json"
        path.write_text(json_of({"step": step, "metrics": found}, indent=2) + "\n")
        terminal.results(name, found)
        terminal.line(f"Results: {path}")
