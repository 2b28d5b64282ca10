"""Compares loaded weights with random ones by what the model computes for a batch of the data."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from scenic_video.data.examples import random_subset
from scenic_video.data.input.views import Views
from scenic_video.errors import UserError
from scenic_video.evaluators.evaluator import Run
from scenic_video.evaluators.features import compile_features, extract
from scenic_video.evaluators.reading import Reading
from scenic_video.number_formats import format_seconds
from scenic_video.runs.experiment import Experiment
from scenic_video.trainer import TrainState
from scenic_video.weights.load_report import LoadReport

LEAST_CHANGE = 0.01
"""Of the outputs, relative to those with random weights."""

LEAST_SPREAD = 1e-5
"""Of the outputs between clips, relative to their norm."""

Outputs = Float[np.ndarray, "clips values"]


@dataclasses.dataclass(frozen=True)
class FirstBatch:
    """A statistic of the model for a few clips, with random and with loaded weights."""

    statistic: str
    random: Outputs
    loaded: Outputs
    seconds: float

    @property
    def change(self) -> float:
        """The distance between both, relative to the norm with random weights."""
        distance = np.linalg.norm(self.loaded - self.random)
        return float(distance / max(np.linalg.norm(self.random), 1e-12))

    @property
    def words(self) -> str:
        """The statistic and what it cost, in one sentence."""
        if not len(self.loaded):
            return "no clip of the batch can be read"
        return (
            f"a batch of {len(self.loaded)} in {format_seconds(self.seconds)}: the "
            f"{self.statistic} differ by {self.change:.0%} from those with random weights, and "
            f"by {_spread(self.loaded):.1%} between clips (random weights: "
            f"{_spread(self.random):.1%})"
        )

    def to_json(self, report: LoadReport) -> dict[str, Any]:
        return {
            "statistic": self.statistic,
            "change": self.change,
            "spread": {"random": _spread(self.random), "loaded": _spread(self.loaded)},
            "num_clips": len(self.loaded),
            "seconds": self.seconds,
            "warnings": self.warnings(report),
        }

    def warnings(self, report: LoadReport) -> list[str]:
        """Signs that the weights are not those of a trained model, one sentence each."""
        if not len(self.loaded):
            return ["The loaded weights were not tried: none of the clips can be read."]
        parts = f" Parts without loaded weights: {', '.join(report.random_parts) or 'none'}."
        if not np.isfinite(self.loaded).all():
            return [f"With the loaded weights, the {self.statistic} of a batch are not finite."]
        if self.change < LEAST_CHANGE:
            return [
                f"The {self.statistic} of a batch differ by only {self.change:.2g} of their norm "
                f"from those with random weights.{parts}"
            ]
        if _spread(self.loaded) < LEAST_SPREAD < _spread(self.random):
            return [
                f"With the loaded weights, the {self.statistic} are the same for all clips of a "
                f"batch, as if the model did not depend on its input.{parts}"
            ]
        return []


def first_batch(experiment: Experiment, *, random: TrainState, loaded: TrainState) -> FirstBatch:
    """The model's features of a few training clips in both states; for tasks without features,
    their predictions or else their loss. The forward pass is compiled once."""
    start, run = time.monotonic(), _run(experiment)
    ways = run.mesh.shape["data"] * run.mesh.shape["fsdp"]
    size = ways if ways > 1 else 2
    clips = random_subset(experiment.train_split, min(size, len(experiment.train_split)))
    reading = Reading(run, clips, run.dataset.labels, Views(), size)
    try:
        extractor = compile_features(run)
        outputs = [extract(extractor, state, reading).values for state in (random, loaded)]
        statistic = "features"
    except UserError:  # the task has none, or the model sows none
        statistic, outputs = _predictions(run, reading, (random, loaded))
    return FirstBatch(statistic, *outputs, seconds=time.monotonic() - start)


def _predictions(
    run: Run, reading: Reading, states: Sequence[TrainState]
) -> tuple[str, list[Outputs]]:
    """The predictions of a task for its heads, or its loss if it has no heads."""
    with reading.open() as batches:
        (batch,) = reading.on_devices(batches)
    outputs = [jax.device_get(run.eval_step(state, batch)) for state in states]
    if not outputs[0].predictions:
        return "loss", [np.reshape(output.loss, (1, 1)) for output in outputs]
    rows = [[x.reshape(len(x), -1) for x in output.predictions.values()] for output in outputs]
    return "predictions", [np.concatenate(x, axis=1)[: len(reading.examples)] for x in rows]


def _run(experiment: Experiment) -> Run:
    return Run(
        task=experiment.task,
        mesh=experiment.mesh,
        dataset=experiment.dataset,
        preprocessing=experiment.preprocessing,
        train_split=experiment.input.split,
        test_split=experiment.evaluation.split,
        batch_size=experiment.evaluation.batch_size,
        num_threads=experiment.input.num_threads,
        decode_timeout=experiment.input.decode_timeout,
        seed=experiment.config["seed"],
    )


def _spread(outputs: Outputs) -> float:
    """The distance of clips from their mean, relative to the norm of all."""
    if not len(outputs):
        return 0.0
    centred = outputs - outputs.mean(axis=0, keepdims=True)
    return float(np.linalg.norm(centred) / max(np.linalg.norm(outputs), 1e-12))
