"""What a config describes, built: the dataset, the task, the mesh, and how long all of it runs."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optax
from jax.sharding import Mesh

from scenic_video import sharding, trainer
from scenic_video.commands.evaluators import build_evaluators
from scenic_video.commands.identity import environment, labels_to_json
from scenic_video.commands.options import EVALUATION_SPLITS, EvaluationOptions, InputOptions
from scenic_video.config import ConfigError, build, resolve
from scenic_video.console import Terminal
from scenic_video.data.datasets import open_dataset
from scenic_video.data.examples import Dataset, Example, LabelSpace, random_subset, split_of
from scenic_video.data.labels import fingerprint
from scenic_video.data.preprocessing import Preprocessing
from scenic_video.data.transforms import InputTransform
from scenic_video.evaluators.evaluator import Evaluator
from scenic_video.loop import Cadence
from scenic_video.tasks.task import Batch, Task
from scenic_video.views import Views


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A config, built. `labels` and `preprocessing` travel in its checkpoints."""

    config: dict[str, Any]
    dataset: Dataset
    preprocessing: Preprocessing
    task: Task
    input: InputOptions
    evaluation: EvaluationOptions
    evaluators: Mapping[str, Evaluator]
    options: trainer.TrainerOptions
    mesh: Mesh
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
    def flip(self) -> bool:
        """Whether training mirrors clips; refused where that changes labels."""
        if self.input.flip and not self.dataset.flip_safe:
            raise ConfigError(
                f"input.flip=True, but mirroring a clip of {self.dataset.name!r} changes its "
                "label. Leave input.flip out, or say dataset.flip_safe=True if you know better."
            )
        return self.dataset.flip_safe if self.input.flip is None else self.input.flip

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
            seed=self.config["seed"],
        )

    def checkpoint_meta(self) -> dict[str, Any]:
        """What a checkpoint says of itself: enough to resume, to evaluate and to predict."""
        return {
            "config": self.config,
            "labels": labels_to_json(self.dataset.labels),
            "preprocessing": self.preprocessing.to_dict(),
            "dataset": {
                "name": self.dataset.name,
                "fingerprint": self.dataset.fingerprint,
                "flip": self.flip,
                "num_examples": {name: len(s) for name, s in self.dataset.splits.items()},
            },
            "num_steps": self.cadence.num_steps,
            "environment": environment(),
        }


def build_experiment(config: Mapping[str, Any], terminal: Terminal | None = None) -> Experiment:
    """Builds every node of a completed config; see `scenic_video.commands.configs.complete`."""
    config = dict(config)
    input_options = build(config["input"])
    dataset = build_dataset(config["dataset"], terminal)
    steps_per_epoch = len(training_examples(dataset, input_options)) / input_options.batch_size
    options = build(config["trainer"])
    cadence = Cadence.of(options, steps_per_epoch)
    learning_rate = build(
        config["learning_rate"], num_steps=cadence.num_steps, steps_per_epoch=steps_per_epoch
    )
    preprocessing = with_statistics(build(config["preprocessing"]), dataset)
    mesh = build(config["mesh"])
    evaluation = resolved_evaluation(build(config["evaluation"]), dataset)
    split_of(dataset, evaluation.split)
    for name, size in (
        ("input.batch_size", input_options.batch_size),
        ("evaluation.batch_size", evaluation.batch_size),
    ):
        check_divides(name, size, mesh)
    if input_options.batch_size % options.micro_batches:
        raise ConfigError(
            f"input.batch_size={input_options.batch_size} cannot be split into "
            f"trainer.micro_batches={options.micro_batches} equal parts."
        )
    if options.best_metric and cadence.checkpoint_every % cadence.eval_every:
        raise ConfigError(
            f"With trainer.best_metric, checkpoint_every ({cadence.checkpoint_every}) must be a "
            f"multiple of eval_every ({cadence.eval_every})."
        )
    task = build_task(config, dataset.labels, preprocessing)
    return Experiment(
        config=config,
        dataset=dataset,
        preprocessing=preprocessing,
        task=task,
        input=input_options,
        evaluation=evaluation,
        evaluators=build_evaluators(
            config["evaluators"],
            input_options,
            evaluation,
            task=task,
            mesh=mesh,
            dataset=dataset,
            preprocessing=preprocessing,
        ),
        options=options,
        mesh=mesh,
        cadence=cadence,
        learning_rate=learning_rate,
        optimizer=build(config["optimizer"], learning_rate=learning_rate),
    )


def build_dataset(node: Any, terminal: Terminal | None = None) -> Dataset:
    """A dataset from its config node, or from a path or catalogue name.

    One that has to be made first, and takes a `progress` function for it, shows that on `terminal`.
    """
    if isinstance(node, str):
        return open_dataset(node)
    parameters = inspect.signature(resolve(node["target"])).parameters
    if terminal is None or "progress" not in parameters:
        dataset = build(node)
    else:
        with terminal.counting("preparing clips") as counting:
            dataset = build(node, progress=counting)
    if dataset.fingerprint:
        return dataset
    found = fingerprint(dataset.splits, dataset.labels)
    return dataclasses.replace(dataset, fingerprint=found)


def build_task(config: Mapping[str, Any], labels: LabelSpace, preprocessing: Preprocessing) -> Task:
    """The task of a config over the heads of `labels`; the model's head is as wide as they are."""
    model = build_taking(config["model"], num_classes=sum(labels.num_classes.values()))
    return build_taking(
        config["task"],
        model=model,
        heads=labels.num_classes,
        multilabel=labels.multilabel,
        transform=build_transform(config, preprocessing),
    )


def build_transform(config: Mapping[str, Any], preprocessing: Preprocessing) -> InputTransform:
    """What is done on the device to the inputs that `preprocessing` gives."""
    pictures = sound = None
    if "rgb" in preprocessing.modalities:
        pictures = build(config["transform"], mean=preprocessing.mean, std=preprocessing.std)
    if preprocessing.sound is not None:
        sound = build(config["sound_transform"], sound=preprocessing.sound)
    return InputTransform(pictures, sound)


def build_taking(node: Mapping[str, Any], **runtime: Any) -> Any:
    """As `build`, with as much of `runtime` as the constructor takes."""
    parameters = inspect.signature(resolve(node["target"])).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    taken = {name: x for name, x in runtime.items() if takes_all or name in parameters}
    return build(node, **taken)


def with_statistics(preprocessing: Preprocessing, dataset: Dataset) -> Preprocessing:
    """`preprocessing` with the statistics of the dataset's sound, where it leaves them open."""
    if preprocessing.sound is None:
        return preprocessing
    found = dataset.statistics.get("spectrogram")
    sound = preprocessing.sound.with_statistics(found, dataset=dataset.name)
    return dataclasses.replace(preprocessing, sound=sound)


def training_examples(dataset: Dataset, options: InputOptions) -> Sequence[Example]:
    """The examples that training sees."""
    split = split_of(dataset, options.split)
    return split if options.num_examples is None else random_subset(split, options.num_examples)


def resolved_evaluation(options: EvaluationOptions, dataset: Dataset) -> EvaluationOptions:
    """`options` with the split that they leave to the dataset."""
    if options.split:
        return options
    names = [name for name in EVALUATION_SPLITS if name in dataset.splits]
    if not names:
        raise ConfigError(
            f"Dataset {dataset.name!r} has the splits {', '.join(dataset.splits)}; which of them "
            "is to be evaluated? Set evaluation.split."
        )
    return dataclasses.replace(options, split=names[0])


def example_batch(preprocessing: Preprocessing, labels: LabelSpace) -> Batch:
    """A batch of one black and silent clip, for its shapes."""
    if labels.multilabel:
        label = {head: np.zeros((1, n), np.float32) for head, n in labels.num_classes.items()}
    else:
        label = {head: np.zeros(1, np.int32) for head in labels.classes}
    inputs = preprocessing.blank_inputs(1)
    return {"inputs": inputs, "label": label, "mask": np.ones(1, np.float32)}


def put_on(mesh: Mesh, batch_size: int) -> Callable[[Batch], Batch]:
    """Lays host batches over the devices of `mesh`."""
    return lambda batch: sharding.put_batch(batch, mesh, batch_size)


def check_divides(name: str, batch_size: int, mesh: Mesh) -> None:
    ways = mesh.shape["data"] * mesh.shape["fsdp"]
    if batch_size % ways:
        raise ConfigError(
            f"{name}={batch_size} does not divide over {ways} devices (mesh data="
            f"{mesh.shape['data']} x fsdp={mesh.shape['fsdp']}). Take a multiple of {ways}."
        )
