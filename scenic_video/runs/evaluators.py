"""The evaluators of a run: built from its config, scheduled, and run."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

from scenic_video.config import ConfigError, build
from scenic_video.errors import UserError
from scenic_video.evaluators.evaluator import Evaluator, Result, Run
from scenic_video.evaluators.split import SplitEvaluation
from scenic_video.loop import PeriodicEvaluation
from scenic_video.runs.reporter import Reporter
from scenic_video.trainer import TrainState

Results = dict[str, Result]
"""Evaluator -> its result."""


@dataclasses.dataclass(frozen=True)
class Evaluators:
    """Evaluators by name: those that run during training, and those of the trained model.

    The run's own evaluation, named after its split, is the first of both: with one view per video
    during training, with all views at the end.
    """

    training: Mapping[str, Evaluator]
    final: Mapping[str, Evaluator]

    def every(self, name: str, eval_every: int) -> int:
        """The interval of an evaluator during training, in steps."""
        return self.training[name].every or eval_every

    def periodic(self, eval_every: int, reporter: Reporter) -> list[PeriodicEvaluation]:
        """The evaluators during training, for its loop; `eval_every` is their default interval."""

        def evaluate(name: str, state: TrainState) -> dict[str, float]:
            return named(run_evaluators({name: self.training[name]}, state, reporter))

        return [
            PeriodicEvaluation(self.every(name, eval_every), functools.partial(evaluate, name))
            for name in self.training
        ]


def build_evaluators(nodes: Mapping[str, Any], run: Run, *, views: str) -> Evaluators:
    """The run's own evaluation, at the end with `views`, and every node under `evaluators`."""
    own = run.test_split
    if own in nodes:
        raise ConfigError(
            f"evaluators.{own} has the name of the split that evaluation.split names, under which "
            "the run's own evaluation is logged. Give it another name."
        )
    further = {name: _build(name, node, run) for name, node in nodes.items()}
    return Evaluators(
        training={own: SplitEvaluation(run)}
        | {name: found for name, found in further.items() if found.every != 0},
        final={own: SplitEvaluation(run, views=views, every=0)} | further,
    )


def _build(name: str, node: Mapping[str, Any], run: Run) -> Evaluator:
    evaluator = build(node, run=run)
    if not isinstance(evaluator, Evaluator):
        raise ConfigError(
            f"evaluators.{name}: a {type(evaluator).__name__} is not an evaluator, which has the "
            "field `every` (None: as often as trainer.eval_every) and is called with "
            "(state, on_batch=)."
        )
    return evaluator


def run_evaluators(
    evaluators: Mapping[str, Evaluator],
    state: TrainState,
    reporter: Reporter,
    *,
    on_batch: Callable[[], None] = lambda: None,
) -> Results:
    """The result of each evaluator for a state; calls `on_batch` after every batch."""
    results = {}
    for name, evaluator in evaluators.items():
        with reporter.counting(_progress_label(name, evaluator)) as counting:
            results[name] = evaluator(state, on_batch=_both(on_batch, counting))
        if not isinstance(results[name], Result):
            raise UserError(
                f"The evaluator {name!r} returned a {type(results[name]).__name__}; wanted a "
                "scenic_video.evaluators.evaluator.Result(step=, metrics={name: number})."
            )
    return results


def _progress_label(name: str, evaluator: Evaluator) -> str:
    """Such as "evaluating test", or "evaluating test, 4x3 views" for several."""
    views = getattr(evaluator, "views", "1x1")
    return f"evaluating {name}" if views == "1x1" else f"evaluating {name}, {views} views"


def named(results: Results) -> dict[str, float]:
    """The numbers as they are logged: "evaluator/metric" -> value."""
    return {f"{name}/{k}": v for name, found in results.items() for k, v in found.metrics.items()}


def _both(
    on_batch: Callable[[], None], counting: Callable[[int, int], None]
) -> Callable[[int, int], None]:
    """A function of (done, total) that calls both."""

    def counted(done: int, total: int) -> None:
        on_batch()
        counting(done, total)

    return counted
