"""A public checkpoint as a trained model: its model, preprocessing and classes from the file."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import unflatten_dict

from scenic_video.config import ConfigError, build
from scenic_video.data.examples import LabelSpace
from scenic_video.data.sources.class_names import read_class_names
from scenic_video.modalities.audio import NAME as AUDIO
from scenic_video.modalities.names import DEFAULT
from scenic_video.runs.config_nodes import REQUIRED, complete
from scenic_video.runs.evaluation.trained_model import TrainedModel
from scenic_video.runs.metadata import labels_to_json
from scenic_video.runs.parts import build_task
from scenic_video.weights.built_model import build_model, num_classes
from scenic_video.weights.families.family import Weights
from scenic_video.weights.reading import read_weights

HEAD = "label"
"""The head of classes whose file does not name one."""


def config_of(
    weights: Weights, *, name: str, run: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The config of the model of a checkpoint.

    Its preprocessing has the fields that the checkpoint, called `name`, or the registry states. Of
    the config `run`, if given, come the other fields of preprocessing and all nodes but the model.
    Errors: ConfigError if the checkpoint does not state its model, and `run` is not given.
    """
    if weights.model is None and run is None:
        raise ConfigError(
            f"{name} does not state which model its weights are of. Give --config=FILE, a config "
            "with that model."
        )
    config = dict(run or dict.fromkeys(REQUIRED, {}))
    if weights.model is not None:
        config["model"] = dict(weights.model)
    fields = dict(weights.preprocessing or {})
    if run is not None:
        fields = build(run["preprocessing"]).to_dict() | fields
    return complete(config | {"preprocessing": fields})


def public_model(
    weights: Weights,
    config: Mapping[str, Any],
    *,
    name: str,
    class_names: Sequence[str] | None = None,
    multilabel: bool = False,
) -> TrainedModel:
    """The model of `weights` as the `config` of `config_of` describes it.

    `class_names` are those of a checkpoint, called `name`, that does not state them; with
    `multilabel` a clip may have several. Errors: UserError for weights that are not those of the
    model, and for what is not known, with the flags that state it.
    """
    _require_stated(config, name)
    labels = LabelSpace(_classes(weights, name, class_names), multilabel)
    preprocessing = build(config["preprocessing"])
    described = dataclasses.replace(
        weights, model=config["model"], inputs=preprocessing.input_sizes
    )
    built = build_model(described, name=name)
    params = {path: _float32(array) for path, array in built.params.items()}
    meta = {
        "config": dict(config),
        "step": 0,
        "weights": name,
        "family": weights.family,
        "notes": list(weights.notes),
        "labels": labels_to_json(labels),
        "preprocessing": preprocessing.to_dict(),
    }
    task = build_task(config, labels, preprocessing)
    variables = {"params": unflatten_dict(params, sep="/")}
    return TrainedModel(task, variables, labels, preprocessing, meta)


def load_public(
    location: str | Path,
    *,
    labels: str | Path | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    multilabel: bool = False,
    trust: bool = False,
) -> TrainedModel:
    """The model of the checkpoint at `location`, with the class names of the file `labels` and
    fields of `preprocessing` that it does not state. See `public_model`."""
    weights, name = read_weights(location, trust=trust), str(location)
    config = config_of(weights, name=name)
    fields = {**config["preprocessing"], **(preprocessing or {})}
    config = complete({**config, "preprocessing": fields})
    class_names = None if labels is None else read_class_names(labels)
    return public_model(weights, config, name=name, class_names=class_names, multilabel=multilabel)


def described(model: TrainedModel) -> dict[str, str]:
    """What is known of the model of a public checkpoint, as named values."""
    meta, preprocessing = model.meta, model.meta["preprocessing"]
    nodes = {"model": meta["config"]["model"], "preprocessing": preprocessing}
    rows = {"weights": f"{meta['weights']} ({meta['family']})"}
    rows |= {name: _words(node) for name, node in nodes.items()}
    for head, names in model.labels.classes.items():
        few = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        rows[f"classes of {head!r}"] = f"{len(names)}: {few}"
    return rows | ({"notes": "\n".join(meta["notes"])} if meta["notes"] else {})


def _require_stated(config: Mapping[str, Any], name: str) -> None:
    """Refuses to guess what changes the inputs of the model."""
    fields = config["preprocessing"]
    of_frames = set(fields.get("modalities", DEFAULT)) != {AUDIO}
    wanted = ("num_frames", "resize", "crop") if of_frames else ("num_frames",)
    missing = [x for x in wanted if x not in fields]
    has_time = fields.get("num_frames", 2) > 1
    if has_time and not any(fields.get(x) is not None for x in ("stride", "frame_rate")):
        missing.append("stride")
    for modality in fields.get("modalities", DEFAULT):
        if modality == DEFAULT[0]:
            node = fields.get(modality, {})
            missing += [f"{modality}.{x}" for x in ("mean", "std") if x not in node]
    if missing:
        flags = " ".join(f"--config.preprocessing.{x}=..." for x in missing)
        raise ConfigError(
            f"{name} does not state all of its preprocessing, and other inputs than in training "
            f"give wrong classes. Give {flags}. Pixels are divided by 255 first; mean and std are "
            "(0.5, 0.5, 0.5) in Scenic, AugReg and big_vision, and often (0.485, 0.456, 0.406) and "
            "(0.229, 0.224, 0.225) in PyTorch."
        )


def _classes(
    weights: Weights, name: str, class_names: Sequence[str] | None
) -> dict[str, tuple[str, ...]]:
    """Errors: ConfigError if the classes have no names, or others than the file says."""
    number = num_classes(weights)
    if number is None:
        raise ConfigError(
            f"{name} has no head, so it predicts no classes. Fine-tune it first: `scenic-video "
            f"train` with --config.init.path={name}."
        )
    stated = weights.labels
    if class_names is None:
        if stated is None:
            raise ConfigError(
                f"{name} does not name its {number} classes. Give --labels=FILE with one name per "
                "line, in the order of the logits (or a .csv of id,name)."
            )
        return {head: tuple(names) for head, names in stated.items()}
    if len(class_names) != number:
        raise ConfigError(f"{name} has {number} classes, but --labels has {len(class_names)}.")
    if stated is not None and [x for names in stated.values() for x in names] != [*class_names]:
        raise ConfigError(
            f"{name} names its classes itself, and not as --labels does. Leave --labels out."
        )
    heads = stated or {HEAD: class_names}
    return {head: tuple(names) for head, names in heads.items()}


def _float32(array: Any) -> np.ndarray:
    array = np.asarray(array)
    return array if np.issubdtype(array.dtype, np.integer) else array.astype(np.float32)


def _words(node: Mapping[str, Any]) -> str:
    """The fields of a node in one line."""
    fields = {name: value for name, value in node.items() if value is not None}
    return ", ".join(
        f"{name}=({_words(value)})" if isinstance(value, Mapping) else f"{name}={value}"
        for name, value in fields.items()
    )
