"""A run's labels and environment as JSON, and the fields that a resumed run may change."""

import inspect
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import jax

from scenic_video.config import ConfigError, resolve
from scenic_video.data.examples import LabelSpace

TRAINER_FIELDS = ("log_every", "eval_every", "checkpoint_every", "keep_last", "max_bad_steps")
INPUT_FIELDS = ("num_threads", "num_workers", "decode_timeout", "max_bad_share")
MAY_CHANGE = (
    "mesh.",
    "sharding.",
    "evaluation.",
    "evaluators",
    "dataset",
    "init.allow_other_positions",
    "init.trust",
)
MAY_CHANGE += tuple(f"trainer.{name}" for name in TRAINER_FIELDS)
MAY_CHANGE += tuple(f"input.{name}" for name in INPUT_FIELDS)
"""Fields that do not change the numbers of training."""


def labels_to_json(labels: LabelSpace) -> dict[str, Any]:
    return {"classes": {h: list(c) for h, c in labels.classes.items()}} | {
        "multilabel": labels.multilabel
    }


def labels_from_json(json: Mapping[str, Any]) -> LabelSpace:
    classes = {head: tuple(names) for head, names in json["classes"].items()}
    return LabelSpace(classes=classes, multilabel=json["multilabel"])


def changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The lines "field: old -> new" of all fields that a resumed run must not change.

    A field that one config leaves to its constructor's default and the other writes out is the same
    in both. Only constructors that `new` names are looked up: `old` comes from a file.
    """
    defaults = _defaults(new)
    may_change = (*MAY_CHANGE, *_places(new))
    a, b = (defaults | _flatten(config) for config in (old, new))
    return [
        f"{name}: {a.get(name)!r} -> {b.get(name)!r}"
        for name in sorted(a.keys() | b.keys())
        if a.get(name) != b.get(name) and not name.startswith(may_change)
    ]


def _places(config: Mapping[str, Any]) -> list[str]:
    """The fields of modalities that are paths."""
    nodes = config.get("preprocessing", {}).items()
    modalities = {name: x for name, x in nodes if isinstance(x, Mapping) and "target" in x}
    return [
        f"preprocessing.{name}.{field}"
        for name, node in modalities.items()
        for field in getattr(resolve(node["target"]), "path_fields", ())
    ]


def _defaults(node: Any, prefix: str = "") -> dict[str, Any]:
    """The constructors' defaults of the fields that `node` leaves out."""
    if _is_list_of_nodes(node):
        node = {str(place): item for place, item in enumerate(node)}
    if not isinstance(node, Mapping):
        return {}
    found: dict[str, Any] = {}
    for name, parameter in _parameters(node).items():
        if parameter.default is not parameter.empty:
            found |= _flatten(parameter.default, f"{prefix}{name}.")
    for name, value in node.items():
        found |= _defaults(value, f"{prefix}{name}.")
    return found


def _parameters(node: Mapping[str, Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(resolve(node["target"])).parameters if "target" in node else {}
    except (ConfigError, ValueError):  # it cannot be imported, or is not written in Python
        return {}


def environment() -> dict[str, Any]:
    """The versions of packages, the devices and the number of processes."""
    packages = ("scenic_video", "jax", "flax", "optax", "orbax-checkpoint", "grain", "av", "numpy")
    device = jax.devices()[0]
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "devices": f"{jax.device_count()} x {device.device_kind} ({device.platform})",
        "processes": jax.process_count(),
        **{name: _version(name) for name in packages},
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed, run from its folder"


def _flatten(tree: Any, prefix: str = "") -> dict[str, Any]:
    if _is_list_of_nodes(tree):
        tree = {str(place): item for place, item in enumerate(tree)}
    if not isinstance(tree, Mapping):
        return {prefix[:-1]: list(tree) if isinstance(tree, tuple) else tree}
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= _flatten(value, f"{prefix}{name}.")
    return flat


def _is_list_of_nodes(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value)
