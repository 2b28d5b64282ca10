"""Checks and completes the name of the metric that selects the best checkpoint."""

import functools
from collections.abc import Collection

import jax

from scenic_video import trainer
from scenic_video.config import ConfigError, near
from scenic_video.evaluators.split import SplitEvaluation
from scenic_video.runs.experiment import Experiment


def full_name(experiment: Experiment) -> str | None:
    """The name as logged, such as "test/top1" or "few_shot/5shot_top1"; None if there is none."""
    metric = experiment.options.best_metric
    if metric is None or "/" in metric:
        return metric
    return f"{experiment.evaluation.split}/{metric}"


def check(experiment: Experiment) -> None:
    """Errors: ConfigError for a metric that no evaluation computes, or not at every checkpoint.

    The metrics of a probe are unknown before training; they are checked at its first evaluation.
    """
    name = full_name(experiment)
    if name is None:
        return
    source, _, metric = name.partition("/")
    if source in experiment.evaluators.training:
        _check_cadence(experiment, source)
        evaluator = experiment.evaluators.training[source]
        if not isinstance(evaluator, SplitEvaluation):
            return
    elif source in experiment.config["evaluators"]:
        _check_runs_in_training(experiment, source)
        return
    known = _metrics(experiment)
    if source not in experiment.evaluators.training or metric not in known:
        given = experiment.options.best_metric
        others = [f"{evaluator}/..." for evaluator in experiment.config["evaluators"]]
        raise ConfigError(
            f"trainer.best_metric is {given!r}; evaluation computes "
            f"{', '.join([*known, *others])}{near(metric, [*known])}"
        )


def _check_cadence(experiment: Experiment, source: str) -> None:
    cadence = experiment.cadence
    every = experiment.evaluators.every(source, cadence.eval_every)
    if cadence.checkpoint_every % every:
        field = "eval_every" if every == cadence.eval_every else f"evaluators.{source}.every"
        raise ConfigError(
            f"With trainer.best_metric, checkpoint_every ({cadence.checkpoint_every}) must be a "
            f"multiple of {field} ({every})."
        )


def _check_runs_in_training(experiment: Experiment, source: str) -> None:
    """The evaluator itself may not be built, as for the outline of a dataset."""
    if source in experiment.evaluators.final:
        raise ConfigError(
            f"trainer.best_metric is {experiment.options.best_metric!r}, but evaluators.{source} "
            "has every=0 and runs only after training. Set a number of steps, or None."
        )


def _metrics(experiment: Experiment) -> Collection[str]:
    """The metrics of an evaluation step, by tracing it."""
    state, batch = experiment.compile().abstract_state, experiment.evaluation_shapes()[0]
    step = functools.partial(trainer.eval_step, experiment.task, jax.random.key(0))
    return jax.eval_shape(step, state, batch).metrics
