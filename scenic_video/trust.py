"""Which code may be called: a config may name any, data and the runs of others only listed code.

A node with a `target` is a call. Nothing is imported before the names of all targets are checked.
"""

import inspect
from collections.abc import Iterator, Mapping, Set
from typing import Any

from scenic_video.config import ConfigError, resolve

PACKAGES = (
    "scenic_video.data.published",
    "scenic_video.data.sources.datasets",
    "scenic_video.data.input.preprocessing",
    "scenic_video.modalities",
    "scenic_video.data.input.geometry",
    "scenic_video.transforms",
    "scenic_video.evaluators",
    "scenic_video.layers",
    "scenic_video.optimizers",
    "scenic_video.sharding",
    "scenic_video.tasks",
    "scenic_video.data.input.views",
    "scenic_video.weights",
    "scenic_video.runs.options",
    "scenic_video.runs.augmentation",
    "optax",
    "projects",
)
"""Packages and modules whose classes and functions a run may name; optax for its optimizers."""
SINGLE = frozenset(
    {
        "scenic_video.trainer:TrainerOptions",
        "scenic_video.data.sources.datasets:class_folders",
        "scenic_video.data.sources.datasets:tfds",
        "scenic_video.data.synthetic:dataset",
        "scenic_video.data.synthetic:read",
    }
)
"""Functions of other modules, which also contain functions that a run may not name."""


def targets_in(node: Any) -> Iterator[Any]:
    """Every `target` in a node, at any depth."""
    if isinstance(node, Mapping):
        if "target" in node:
            yield node["target"]
        for value in node.values():
            yield from targets_in(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from targets_in(value)


def check_data(node: Mapping[str, Any], allowed: Set[str], *, source: Any) -> None:
    """Errors: ConfigError if a node in the data file `source` names a target not in `allowed`."""
    for target in targets_in(node):
        if not isinstance(target, str) or target not in allowed:
            raise ConfigError(
                f"{source} names the target {target!r}. Data may only name a reader of this "
                f"package{_listed(allowed)}. Code of your own is named in a config, "
                "as in --config.dataset.target=my_package.my_data:read."
            )


def check_run(config: Mapping[str, Any], *, run: Any, trust: bool, flag: str = "--trust") -> None:
    """Errors: ConfigError if a trained run names code of third parties, unless `trust` is set.

    Only public classes and functions of `PACKAGES` and `SINGLE` are allowed, and only under the
    module that defines them or a package above it, not under a module that imports them.
    """
    for target in () if trust else targets_in(config):
        if not (isinstance(target, str) and _is_ours(target)):
            raise ConfigError(
                f"{run} names the target {target!r}, which is not in scenic_video or projects, and "
                "loading the run would call it. If you trust the origin of the run, use "
                f"{flag}."
            )


def _listed(allowed: Set[str]) -> str:
    return f": {', '.join(sorted(allowed))}" if allowed else ", in a .json file of its own"


def _is_ours(target: str) -> bool:
    module, _, name = target.partition(":")
    if target in SINGLE:
        return True
    in_package = any(f"{module}.".startswith(f"{package}.") for package in PACKAGES)
    is_public = not any(part.startswith("_") for part in (*module.split("."), name))
    if not (in_package and is_public):
        return False
    found = resolve(target)
    is_code = inspect.isclass(found) or inspect.isfunction(found)
    return is_code and f"{found.__module__}.".startswith(f"{module}.")
