"""Evaluates a trained model, with its own preprocessing and mesh, on its data or on other data."""

import dataclasses
from typing import Any

import jax
import optax
from jax.sharding import Mesh

from scenic_video import sharding, trainer
from scenic_video.config import ConfigError, build
from scenic_video.data.examples import Dataset, LabelSpace, split_of
from scenic_video.data.sources.class_names import with_head_of
from scenic_video.data.sources.datasets import open_dataset
from scenic_video.evaluators.evaluator import Run
from scenic_video.evaluators.split import SplitEvaluation
from scenic_video.evaluators.split_result import SplitResult
from scenic_video.runs.device_batches import example_batch
from scenic_video.runs.evaluation.label_alignment import aligned_labels
from scenic_video.runs.evaluation.trained_model import TrainedModel
from scenic_video.runs.options import EvaluationOptions
from scenic_video.runs.parts import build_dataset, resolved_evaluation
from scenic_video.runs.reporter import SILENT, Reporter
from scenic_video.sharding import check_divides

REMEDY = "This is the path of the data where the run was trained; give --data=FOLDER."


def evaluate(
    model: TrainedModel,
    *,
    data: str | None = None,
    split: str | None = None,
    views: str | None = None,
    batch_size: int | None = None,
    remap_labels: bool = False,
    reporter: Reporter = SILENT,
) -> SplitResult:
    """Evaluates `model` on a split of the data it was configured with, or of `data`.

    Classes are matched by name, so a dataset may number them differently; see `aligned_labels` for
    names that differ, and `remap_labels`. Data for a model that predicts no classes needs no
    labels.
    """
    run, options = evaluation_run(
        model,
        data=data,
        split=split,
        views=views,
        batch_size=batch_size,
        remap_labels=remap_labels,
        reporter=reporter,
    )
    evaluator = SplitEvaluation(run, views=options.views)
    with reporter.counting(f"evaluating {options.split}, {options.views} views") as counting:
        return evaluator(state_on(run, model), on_batch=counting)


def evaluation_run(
    model: TrainedModel,
    *,
    data: str | None = None,
    split: str | None = None,
    views: str | None = None,
    batch_size: int | None = None,
    remap_labels: bool = False,
    reporter: Reporter = SILENT,
) -> tuple[Run, EvaluationOptions]:
    """What `evaluate` evaluates: the run, whose dataset has only the split, and the options."""
    config = model.meta["config"]
    overrides = {"split": split, "views": views, "batch_size": batch_size}
    given = {name: value for name, value in overrides.items() if value is not None}
    dataset = data_of(model, data, reporter)
    if data and split is None and len(dataset.splits) == 1:
        given["split"] = next(iter(dataset.splits))
    options = resolved_evaluation(build({**config["evaluation"], **given}), dataset)
    if remap_labels or "weights" in model.meta:  # whose head has no name of this data
        dataset = _with_head_of(model, dataset, options.split)
    mesh = _mesh(config["mesh"], reporter)
    check_divides("evaluation.batch_size", options.batch_size, mesh)
    run = Run(
        task=model.task,
        mesh=mesh,
        dataset=_labelled_as_read(dataset, options.split, model, reporter, remap=remap_labels),
        preprocessing=model.preprocessing,
        train_split=options.split,
        test_split=options.split,
        batch_size=options.batch_size,
    )
    return run, options


def data_of(model: TrainedModel, data: str | None, reporter: Reporter = SILENT) -> Dataset:
    """`data`, or else the data that the model was configured with."""
    return _open(data, model) if data else _own_data(model, reporter)


def _own_data(model: TrainedModel, reporter: Reporter) -> Dataset:
    """The data that the model was configured with."""
    node = model.meta["config"]["dataset"]
    if not node:
        raise ConfigError(
            f"The data to evaluate {model.meta['weights']} on is not known. Give --data=DATA, or "
            "--config=FILE with a config of that data."
        )
    return build_dataset(node, reporter, remedy=REMEDY)


def state_on(run: Run, model: TrainedModel) -> trainer.TrainState:
    """The model's variables over the mesh of `run`."""
    steps = trainer.compile_steps(
        task=model.task,
        optimizer=optax.identity(),
        options=trainer.TrainerOptions(num_steps=1),
        example_batch=example_batch(model.preprocessing, run.dataset.labels),
        mesh=run.mesh,
    )
    return trainer.state_of(model.variables, steps, step=model.meta["step"])


def _labelled_as_read(
    dataset: Dataset, split: str, model: TrainedModel, reporter: Reporter, *, remap: bool
) -> Dataset:
    """`split` of `dataset` alone, with the labels that the model's task reads."""
    labels = _labels_to_read(model, dataset)
    examples = split_of(dataset, split)
    aligned = aligned_labels(examples, dataset.labels, labels, remap=remap)
    for remark in aligned.remarks:
        reporter.line(remark)
    return dataclasses.replace(dataset, splits={split: aligned.examples}, labels=labels)


def _with_head_of(model: TrainedModel, dataset: Dataset, split: str) -> Dataset:
    """`split` of `dataset`; its one head has the name of the model's, if that has one too."""
    labels, examples = with_head_of(dataset.labels, model.labels_read), split_of(dataset, split)
    if labels.classes.keys() == dataset.labels.classes.keys():
        return dataset
    (head,) = labels.classes
    renamed = [
        dataclasses.replace(example, labels={head: next(iter(example.labels.values()))})
        for example in examples
    ]
    return dataclasses.replace(dataset, splits={split: renamed}, labels=labels)


def _labels_to_read(model: TrainedModel, dataset: Dataset) -> LabelSpace:
    """The model's labels; of several labels, any one is right for a single-label model."""
    several = model.labels_read.multilabel or dataset.labels.multilabel
    return dataclasses.replace(model.labels_read, multilabel=several)


def _open(data: str, model: TrainedModel) -> Dataset:
    """Data that is multi-label if the model is."""
    return open_dataset(data, **({"multilabel": True} if model.labels.multilabel else {}))


def _mesh(node: dict[str, Any], reporter: Reporter) -> Mesh:
    """The mesh of training, or a data-parallel one if it does not fit the devices."""
    try:
        return build(node)
    except ValueError:
        reporter.line(
            f"The mesh of training does not fit {jax.device_count()} device(s); using data=-1."
        )
        return sharding.make_mesh()
