"""Builds a config: the dataset, the task, the optimizer, the mesh, and the number of steps."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import Mesh

from scenic_video import sharding, trainer
from scenic_video.config import ConfigError, build, check_values
from scenic_video.data.examples import Dataset, Example, split_of
from scenic_video.data.input.geometry import Geometry
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.input.views import Views
from scenic_video.evaluators.evaluator import Run
from scenic_video.evaluators.split import SplitEvaluation
from scenic_video.loop import Cadence
from scenic_video.runs.augmentation import Augmentation
from scenic_video.runs.device_batches import example_batch, shapes
from scenic_video.runs.evaluators import Evaluators, build_evaluators
from scenic_video.runs.metadata import environment, labels_to_json
from scenic_video.runs.options import EvaluationOptions, InitOptions, InputOptions
from scenic_video.runs.parts import (
    build_dataset,
    build_optimizer,
    build_placement,
    build_task,
    resolved_evaluation,
    training_examples,
    with_statistics,
)
from scenic_video.runs.reporter import SILENT, Reporter
from scenic_video.sharding import check_divides
from scenic_video.tasks.task import Task


@dataclasses.dataclass(frozen=True)
class Experiment:
    """The objects of a config. Its checkpoints contain the labels and the preprocessing."""

    config: dict[str, Any]
    dataset: Dataset
    preprocessing: Preprocessing
    task: Task
    augmentation: Augmentation
    input: InputOptions
    evaluation: EvaluationOptions
    evaluators: Evaluators
    options: trainer.TrainerOptions
    mesh: Mesh
    placement: sharding.Placement
    cadence: Cadence
    learning_rate: optax.Schedule
    optimizer: optax.GradientTransformation

    @property
    def train_split(self) -> Sequence[Example]:
        return training_examples(self.dataset, self.input)

    @property
    def steps_per_epoch(self) -> float:
        return len(self.train_split) / self.input.batch_size

    @property
    def geometry(self) -> Geometry:
        """How training crops clips, and whether it flips them."""
        return self.augmentation.geometry.of_dataset(self.dataset)

    @property
    def views(self) -> Views:
        return Views.parse(self.evaluation.views)

    def rate(self, step: int) -> float:
        """The learning rate of the update that follows `step` updates."""
        return float(np.asarray(self.learning_rate(step)))

    def compile(self) -> trainer.Steps:
        return trainer.compile_steps(
            task=self.task,
            optimizer=self.optimizer,
            options=self.options,
            example_batch=example_batch(self.preprocessing, self.dataset.labels),
            mesh=self.mesh,
            placement=self.placement,
            seed=self.config["seed"],
        )

    def trace(self) -> trainer.TrainState:
        """The shapes of the state, after tracing a training step and all evaluations of splits.

        Nothing is computed, but errors of the task or the model in a step are raised here.
        """
        state, rng = self.compile().abstract_state, jax.random.key(0)
        example = example_batch(self.preprocessing, self.dataset.labels)
        batch = shapes(example, self.input.batch_size)
        step = functools.partial(trainer.train_step, self.task, self.optimizer, rng, self.options)
        jax.eval_shape(step, state, batch)
        evaluate = functools.partial(trainer.eval_step, self.task, rng)
        for batch in self.evaluation_shapes():
            jax.eval_shape(evaluate, state, batch)
        return state

    def evaluation_shapes(self) -> list[Any]:
        """The shapes of batches of the final split evaluations, the run's own first."""
        example = example_batch(self.preprocessing, self.dataset.labels)
        found = [x for x in self.evaluators.final.values() if isinstance(x, SplitEvaluation)]
        sizes = dict.fromkeys((x.global_batch_size, x.num_views) for x in found)
        return [
            shapes(example, size) | {"inputs": shapes(example["inputs"], size, num_views)}
            for size, num_views in sizes
        ]

    def checkpoint_meta(self) -> dict[str, Any]:
        """The metadata of a checkpoint: enough to resume, evaluate and predict."""
        return {
            "config": self.config,
            "labels": labels_to_json(self.dataset.labels),
            "preprocessing": self.preprocessing.to_dict(),
            "dataset": {
                "name": self.dataset.name,
                "fingerprint": self.dataset.fingerprint,
                "flip": self.geometry.flip,
                "num_examples": {name: len(s) for name, s in self.dataset.splits.items()},
            },
            "num_steps": self.cadence.num_steps,
            "environment": environment(),
        }


def check_config(config: Mapping[str, Any]) -> None:
    """Checks the values of a config against constructors' annotations, before any call."""
    check_values(config, "")
    own = [field.name for field in dataclasses.fields(InitOptions)]
    init = {name: value for name, value in config["init"].items() if name in own}
    check_values({"target": f"{InitOptions.__module__}:{InitOptions.__name__}"} | init, "init")


def build_experiment(
    config: Mapping[str, Any], reporter: Reporter = SILENT, *, outline: Dataset | None = None
) -> Experiment:
    """Builds every node of a completed config; see `runs.config_nodes.complete`.

    An `outline` replaces a dataset whose files are missing; the evaluators of the config, which
    read files, are then left out.
    """
    config = dict(config)
    check_config(config)
    input_options = build(config["input"])
    dataset = outline or build_dataset(config["dataset"], reporter)
    steps_per_epoch = len(training_examples(dataset, input_options)) / input_options.batch_size
    options = build(config["trainer"])
    cadence = Cadence.of(options, steps_per_epoch)
    learning_rate = build(
        config["learning_rate"], num_steps=cadence.num_steps, steps_per_epoch=steps_per_epoch
    )
    preprocessing = with_statistics(
        build(config["preprocessing"]), dataset, config["dataset"], split=input_options.split
    )
    augmentation = build(config["augmentation"])
    augmentation.check(preprocessing.modalities)
    mesh = build(config["mesh"])
    evaluation = resolved_evaluation(build(config["evaluation"]), dataset)
    split_of(dataset, evaluation.split)
    check_divides("input.batch_size", input_options.batch_size, mesh)
    check_divides("evaluation.batch_size", evaluation.batch_size, mesh)
    _check_micro_batches(options, batch_size=input_options.batch_size)
    task = build_task(config, dataset.labels, preprocessing)
    run = Run(
        task=task,
        mesh=mesh,
        dataset=dataset,
        preprocessing=preprocessing,
        train_split=input_options.split,
        test_split=evaluation.split,
        batch_size=evaluation.batch_size,
        num_threads=input_options.num_threads,
        decode_timeout=input_options.decode_timeout,
        seed=config["seed"],
    )
    return Experiment(
        config=config,
        dataset=dataset,
        preprocessing=preprocessing,
        task=task,
        augmentation=augmentation,
        input=input_options,
        evaluation=evaluation,
        evaluators=build_evaluators(
            {} if outline else config["evaluators"], run, views=evaluation.views
        ),
        options=options,
        mesh=mesh,
        placement=build_placement(config, task),
        cadence=cadence,
        learning_rate=learning_rate,
        optimizer=build_optimizer(config, task, learning_rate),
    )


def _check_micro_batches(options: trainer.TrainerOptions, *, batch_size: int) -> None:
    if batch_size % options.micro_batches:
        raise ConfigError(
            f"input.batch_size={batch_size} cannot be split into "
            f"trainer.micro_batches={options.micro_batches} equal parts."
        )
