"""Builds the parts of a run from its config: dataset, model, task, optimizer and placement."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import optax

from scenic_video.config import ConfigError, build, resolve
from scenic_video.data.examples import Dataset, Example, LabelSpace, random_subset, split_of
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.sources.agreement import checked
from scenic_video.data.sources.datasets import open_dataset
from scenic_video.data.sources.fingerprint import fingerprint
from scenic_video.modalities.inputs import InputTransform
from scenic_video.optimizers.schedules import Rate
from scenic_video.runs import absent_data, statistics_command
from scenic_video.runs.options import EVALUATION_SPLITS, EvaluationOptions, InputOptions
from scenic_video.runs.reporter import SILENT, Reporter
from scenic_video.sharding import Placement
from scenic_video.tasks.mixup import Mixing
from scenic_video.tasks.task import Task


def build_dataset(
    node: Any, reporter: Reporter = SILENT, *, remedy: str = absent_data.REMEDY
) -> Dataset:
    """A dataset from its config node, or from a path or catalogue name.

    If its constructor takes a `progress` function, as for clips that are generated first, that is
    reported. `remedy` is the advice for missing files.
    """
    absent_data.refuse_absent(node, remedy)
    if isinstance(node, str):
        return open_dataset(node)
    parameters = inspect.signature(resolve(node["target"])).parameters
    if "progress" not in parameters:
        dataset = build(node)
    else:
        with reporter.counting("preparing clips") as counting:
            dataset = build(node, progress=counting)
    dataset = checked(dataset, maker=node["target"])
    if dataset.fingerprint:
        return dataset
    found = fingerprint(dataset.splits, dataset.labels)
    return dataclasses.replace(dataset, fingerprint=found)


def build_model(config: Mapping[str, Any], labels: LabelSpace) -> Any:
    """The model of a config; it has one logit per class of all heads of `labels`."""
    return build_taking(config["model"], num_classes=sum(labels.num_classes.values()))


def build_task(config: Mapping[str, Any], labels: LabelSpace, preprocessing: Preprocessing) -> Task:
    """The task of a config over the heads of `labels`, with its model."""
    model, augmentation = build_model(config, labels), build(config["augmentation"])
    _check_inputs(model, preprocessing.modalities)
    return build_taking(
        config["task"],
        model=model,
        heads=labels.num_classes,
        multilabel=labels.multilabel,
        transform=InputTransform(preprocessing.modalities, augmentation.by_modality),
        **_mixing_for(config["task"]["target"], augmentation.mixing),
    )


def build_optimizer(
    config: Mapping[str, Any], task: Task, learning_rate: Rate
) -> optax.GradientTransformation:
    """The optimizer of a config; the model gives the order of layers, if rates depend on it."""
    node, runtime = config["optimizer"], {"learning_rate": learning_rate}
    if "layers_after" in inspect.signature(resolve(node["target"])).parameters:
        runtime["layers_after"] = _declared(task, "layers_after")
    return build(node, **runtime)


def build_placement(config: Mapping[str, Any], task: Task) -> Placement:
    """How parameters are sharded, by the rules of a config and of its model."""
    return build(config["sharding"], model_rules=_declared(task, "sharding_rules") or ())


def _declared(task: Task, name: str) -> Any:
    """An attribute of the task's model; None if there is no model or no such attribute."""
    return getattr(getattr(task, "model", None), name, None)


def _mixing_for(task: str, mixing: Mixing) -> dict[str, Any]:
    """The mixing as an argument of the task. Errors: ConfigError if the task cannot mix."""
    takes_it = "mixing" in _taken_by(resolve(task), ["mixing"])
    if mixing.is_on and not takes_it:
        raise ConfigError(
            f"augmentation.mixing is set, but {task} does not mix examples: it has no `mixing`. "
            "Leave it out (--config.augmentation.mixing=None)."
        )
    return {"mixing": mixing} if takes_it else {}


def build_taking(node: Mapping[str, Any], **runtime: Any) -> Any:
    """As `build`, with those of `runtime` that the constructor takes."""
    taken = _taken_by(resolve(node["target"]), runtime)
    return build(node, **{name: runtime[name] for name in taken})


def _check_inputs(model: Any, modalities: Collection[str]) -> None:
    """Refuses modalities that the model's call does not take as keywords."""
    if not callable(model):
        raise ConfigError(f"The model is a {type(model).__name__}, which cannot be called.")
    known = _taken_by(model, modalities)
    if not known:
        raise ConfigError(
            f"{type(model).__name__} is called with a keyword for each modality "
            f"({', '.join(modalities)}), but takes {', '.join(inspect.signature(model).parameters)}"
            f". Write def __call__(self, *, {', '.join(modalities)}, train)."
        )
    if unknown := [name for name in modalities if name not in known]:
        raise ConfigError(
            f"preprocessing.modalities gives {', '.join(modalities)}, but "
            f"{type(model).__name__} takes {', '.join(inspect.signature(model).parameters)}. Leave "
            f"out {', '.join(unknown)}, or choose a model that takes it."
        )


def _taken_by(function: Callable[..., Any], names: Iterable[str]) -> list[str]:
    """Those of `names` that `function` takes as keywords."""
    parameters = inspect.signature(function).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return [name for name in names if takes_all or name in parameters]


def with_statistics(
    preprocessing: Preprocessing, dataset: Dataset, node: Any, *, split: str
) -> Preprocessing:
    """`preprocessing` with the measured statistics of a split, if its modalities do not set them.

    `node` is the config node of `dataset`.
    """
    command = functools.partial(statistics_command.command, node, split)
    modalities = {
        name: modality.with_statistics(dataset, split=split, command=command)
        for name, modality in preprocessing.modalities.items()
    }
    return dataclasses.replace(preprocessing, modalities=modalities)


def training_examples(dataset: Dataset, options: InputOptions) -> Sequence[Example]:
    """The training split, or a random subset of it if `num_examples` is set."""
    split = split_of(dataset, options.split)
    return split if options.num_examples is None else random_subset(split, options.num_examples)


def resolved_evaluation(options: EvaluationOptions, dataset: Dataset) -> EvaluationOptions:
    """`options` with a split: by default the first of `EVALUATION_SPLITS` in the dataset."""
    if options.split:
        return options
    names = [name for name in EVALUATION_SPLITS if name in dataset.splits]
    if not names:
        raise ConfigError(
            f"Dataset {dataset.name!r} has the splits {', '.join(dataset.splits)}, none of which "
            "is evaluated by default. Set evaluation.split."
        )
    return dataclasses.replace(options, split=names[0])
