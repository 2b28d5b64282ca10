"""The nodes of a config, and their defaults."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from scenic_video import type_checks
from scenic_video.config import ConfigError, refuse_unknown, resolve
from scenic_video.field_types import Seed
from scenic_video.modalities.names import BUILT_IN, DEFAULT
from scenic_video.runs.options import InitOptions

IMPLIED_TARGETS = {
    "input": "scenic_video.runs.options:InputOptions",
    "mesh": "scenic_video.sharding:make_mesh",
    "sharding": "scenic_video.sharding:Placement",
    "trainer": "scenic_video.trainer:TrainerOptions",
    "evaluation": "scenic_video.runs.options:EvaluationOptions",
    "preprocessing": "scenic_video.data.input.preprocessing:Preprocessing",
    "augmentation": "scenic_video.runs.augmentation:augmentation",
    "task": "scenic_video.tasks.classification:Classification",
}
IMPLIED_WITHIN = {
    ("augmentation", "geometry"): "scenic_video.data.input.geometry:Geometry",
    ("augmentation", "mixing"): "scenic_video.tasks.mixup:Mixing",
}
"""The targets of nodes within other nodes."""
NO_INIT = dataclasses.asdict(InitOptions())
SAME_PATHS = "scenic_video.weights.initialize:initialize"
"""The `init.target` of models without `starts_by`."""
REQUIRED = ("dataset", "preprocessing", "model", "learning_rate", "optimizer", "trainer")
OPTIONAL = ("seed", "augmentation", "input", "task", "mesh", "evaluation", "init")
OPTIONAL += ("evaluators", "sharding")
NODES: tuple[str, ...] = (*REQUIRED, *OPTIONAL)


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` with all its nodes and their targets; an unknown or missing node is an error.

    A node that is None counts as left out.
    """
    nodes: dict[str, Any] = {"seed": 0}
    nodes |= {name: node for name, node in config.items() if node is not None}
    refuse_unknown(nodes, NODES, of="A config")
    for name, node in nodes.items():
        _check_node(name, node)
    missing = [name for name in REQUIRED if name not in nodes]
    if missing:
        raise ConfigError(f"The config lacks {', '.join(missing)}.")
    nodes["init"] = _with_target(NO_INIT | nodes.get("init", {}), nodes["model"])
    nodes.setdefault("evaluators", {})
    for name, target in IMPLIED_TARGETS.items():
        nodes[name] = {"target": target} | nodes.get(name, {})
    nodes["preprocessing"] = _with_modalities(nodes["preprocessing"])
    given = {name: x for name, x in nodes["augmentation"].items() if x is not None}
    nodes["augmentation"] = {"geometry": {}, "mixing": {}} | given
    for (name, field), target in IMPLIED_WITHIN.items():
        within = nodes[name].get(field)
        if within is not None:
            _check_node(f"{name}.{field}", within)
            nodes[name] |= {field: {"target": target} | within}
    return nodes


def _with_target(init: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """`init` with the function that its `target` names, by default that of the model's class."""
    return {**init, "target": init.get("target") or _starts_by(model)}


def _starts_by(model: Mapping[str, Any]) -> str:
    """The function that initialises this model from other weights. A model that cannot be found is
    an error where it is built."""
    try:
        return getattr(resolve(model.get("target")), "starts_by", SAME_PATHS)
    except ConfigError:
        return SAME_PATHS


def _with_modalities(preprocessing: Mapping[str, Any]) -> dict[str, Any]:
    """`preprocessing` with a node for each modality of this package that it names."""
    names = preprocessing.get("modalities", DEFAULT)
    if not isinstance(names, Iterable):  # refused by its type as it is built
        return dict(preprocessing)
    implied = {name: {"target": target} for name, target in BUILT_IN.items()}
    nodes = {
        name: node
        for name, node in preprocessing.items()
        if name in names or name not in BUILT_IN or node not in (None, implied[name])
    }
    for name in BUILT_IN:
        if name in names or name in nodes:
            node = nodes.get(name) or {}
            _check_node(f"preprocessing.{name}", node)
            nodes[name] = implied[name] | node
    return nodes


def _check_node(name: str, node: Any) -> None:
    if name == "seed":
        if not type_checks.fits(node, Seed):
            raise ConfigError(f"seed is {node!r}; wanted {type_checks.describe(Seed)}.")
    elif not isinstance(node, Mapping) and not (name == "dataset" and isinstance(node, str)):
        raise ConfigError(f"{name} must be a node, a dict of a constructor's fields; got {node!r}.")
    elif name == "evaluators" and isinstance(node, Mapping):
        for evaluator, its_node in node.items():
            _check_node(f"evaluators.{evaluator}", its_node)
