"""What a model computes for a batch shows whether its weights were loaded."""

import dataclasses
from typing import Any

import numpy as np

from scenic_video.checkpoints import Checkpoints
from scenic_video.runs.experiment import build_experiment
from scenic_video.runs.initialization.first_batch import FirstBatch, first_batch
from scenic_video.weights.load_report import LoadReport, Origin

REPORT = LoadReport(
    (Origin("body/kernel", "a", "", (2,)), Origin("head/kernel", None, "", (2,))), ()
)


def compared(loaded, random=((1.0, 2.0), (2.0, 1.0))):
    return FirstBatch("features", np.array(random), np.array(loaded), seconds=1.0)


def test_other_features_are_no_warning_and_stated_in_one_line():
    batch = compared(((3.0, 0.0), (0.0, 3.0)))
    assert batch.warnings(REPORT) == []
    assert "a batch of 2 in 1s: the features differ by 126% from those with random" in batch.words


def test_the_features_of_random_weights_are_a_warning_that_names_random_parts():
    (words,) = compared(((1.0, 2.0), (2.0, 1.001))).warnings(REPORT)
    assert "differ by only 0.00032 of their norm" in words
    assert words.endswith("Parts without loaded weights: head.")


def test_features_that_do_not_depend_on_the_clip_or_are_not_finite_are_a_warning():
    (words,) = compared(((5.0, 2.0), (5.0, 2.0))).warnings(REPORT)
    assert "are the same for all clips" in words
    (words,) = compared(((np.nan, 2.0), (5.0, 2.0))).warnings(REPORT)
    assert "are not finite" in words


def test_a_batch_that_cannot_be_read_is_a_warning():
    batch = compared(np.zeros((0, 2)), np.zeros((0, 2)))
    assert "none of the clips can be read" in batch.warnings(REPORT)[0]
    assert batch.words == "no clip of the batch can be read"
    assert batch.to_json(REPORT)["spread"] == {"random": 0, "loaded": 0}


@dataclasses.dataclass(frozen=True)
class WithoutFeatures:
    """A task with predictions alone or, without classes, with a loss alone."""

    task: Any
    has_predictions: bool = True

    def init(self, rng, batch):
        return self.task.init(rng, batch)

    def __call__(self, variables, batch, *, rng, train):
        output = self.task(variables, batch, rng=rng, train=train)
        return output if self.has_predictions else output._replace(predictions={})


def test_tasks_without_features_are_compared_by_predictions_or_by_their_loss(save_run, tmp_path):
    workdir = save_run(tmp_path / "run")
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        experiment = build_experiment(checkpoints.read_meta()["config"])
        steps = experiment.compile()
        loaded, _ = checkpoints.restore(None, steps.abstract_state)
    for has_predictions, statistic in ((True, "predictions"), (False, "loss")):
        task = WithoutFeatures(experiment.task, has_predictions)
        changed = dataclasses.replace(experiment, task=task)
        found = first_batch(changed, random=steps.init(), loaded=loaded)
        assert found.statistic == statistic
        assert found.loaded.shape == ((8, 10) if has_predictions else (1, 1))
        assert found.change > 0.01 and not found.warnings(REPORT)
