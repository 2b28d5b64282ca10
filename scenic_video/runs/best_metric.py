"""The number by which a run tells its best checkpoint: its full name, and whether there is one."""

import functools
from collections.abc import Collection

import jax

from scenic_video import trainer
from scenic_video.config import ConfigError, near
from scenic_video.runs.experiment import Experiment


def full_name(experiment: Experiment) -> str | None:
    """As it is logged, "test/top1", or an evaluator's, "few_shot/5shot_top1"; None for none."""
    metric = experiment.options.best_metric
    if metric is None or "/" in metric:
        return metric
    return f"{experiment.evaluation.split}/{metric}"


def check(experiment: Experiment) -> None:
    """A ConfigError for a metric that no evaluation gives, before anything is trained.

    Those of an evaluator are not known before it has run; the first evaluation is held to them.
    """
    name = full_name(experiment)
    if name is None:
        return
    source, _, metric = name.partition("/")
    evaluators = experiment.config["evaluators"]
    if source in evaluators:
        return
    split = experiment.evaluation.split
    known = _metrics(experiment)
    if source != split or metric not in known:
        given = experiment.options.best_metric
        others = [f"{evaluator}/..." for evaluator in evaluators]
        raise ConfigError(
            f"trainer.best_metric is {given!r}; evaluation gives "
            f"{', '.join([*known, *others])}{near(metric, [*known])}"
        )


def _metrics(experiment: Experiment) -> Collection[str]:
    """What an evaluation step gives, as traced."""
    state, batch = experiment.compile().abstract_state, experiment.evaluation_shapes()
    step = functools.partial(trainer.eval_step, experiment.task, jax.random.key(0))
    return jax.eval_shape(step, state, batch).metrics
