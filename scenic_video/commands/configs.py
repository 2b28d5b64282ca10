"""Reads `--config=FILE[:VARIANT] --config.field=value ...` into a ConfigDict."""

import ast
import inspect
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from scenic_video.config import ConfigError, near, resolve

IMPLIED_TARGETS = {
    "input": "scenic_video.commands.options:InputOptions",
    "mesh": "scenic_video.sharding:make_mesh",
    "trainer": "scenic_video.trainer:TrainerOptions",
    "evaluation": "scenic_video.commands.options:EvaluationOptions",
    "preprocessing": "scenic_video.data.preprocessing:Preprocessing",
    "transform": "scenic_video.data.transforms:VideoTransform",
    "sound_transform": "scenic_video.data.spectrograms:SpectrogramTransform",
    "task": "scenic_video.tasks.classification:Classification",
}
NO_INIT = {
    "target": "scenic_video.weights.initialize:initialize",
    "workdir": "",
    "allow_other_positions": False,
    "head": None,
}
"""The weights of which run to start from; without a workdir, none. `head` is of use where the run
has other classes: "new", or "by_name"."""
ONE_OF = {"num_steps": "num_epochs", "num_epochs": "num_steps"}
"""Fields of the trainer that take the place of each other."""
REQUIRED = ("dataset", "preprocessing", "model", "learning_rate", "optimizer", "trainer")
OPTIONAL = ("seed", "transform", "sound_transform", "input", "task", "mesh", "evaluation", "init")
OPTIONAL += ("evaluators",)


def load_config(arguments: Sequence[str]) -> Any:
    """The config that `arguments` name, a locked ConfigDict, overridden and completed.

    An override may set any field of a node's constructor, written in the config or not. Errors:
    ConfigError for a missing file, a misspelt field or a value of the wrong type.
    """
    pairs = _pairs(arguments)
    paths = [value for name, value in pairs if name == "--config"]
    if len(paths) != 1:
        raise ConfigError("Give one config: --config=FILE, such as configs/quickstart.py.")
    config = complete(_run(paths[0]))
    for name, value in pairs:
        if name != "--config":
            _override(config, name, value)
    return config.lock()


def complete(config: ConfigDict) -> ConfigDict:
    """`config` with all its nodes and their targets; an unknown or missing node is an error."""
    known = [*REQUIRED, *OPTIONAL]
    for name in config:
        if name not in known:
            raise ConfigError(f"A config has no node {name!r}{near(name, known)}")
    missing = [name for name in REQUIRED if name not in config]
    if missing:
        raise ConfigError(f"The config lacks {', '.join(missing)}.")
    nodes: dict[str, Any] = {"seed": 0} | config.to_dict()
    nodes["init"] = NO_INIT | nodes.get("init", {})
    nodes.setdefault("evaluators", {})
    for name, target in IMPLIED_TARGETS.items():
        nodes[name] = {"target": target} | nodes.get(name, {})
    if "sound" in nodes["preprocessing"]:
        sound = {"target": "scenic_video.data.sound:Sound"} | nodes["preprocessing"]["sound"]
        nodes["preprocessing"] |= {"sound": sound}
    return ConfigDict(nodes)


def _pairs(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Both `--config.a=1` and `--config.a 1`, as (name, value)."""
    pairs: list[tuple[str, str]] = []
    remaining = list(arguments)
    while remaining:
        name, equals, value = remaining.pop(0).partition("=")
        if not equals:
            if not remaining:
                raise ConfigError(f"{name} lacks a value.")
            value = remaining.pop(0)
        pairs.append((name, value))
    return pairs


def _run(path_and_variant: str) -> ConfigDict:
    path, _, variant = path_and_variant.partition(":")
    if not Path(path).is_file():
        siblings = [str(p) for p in Path(path).parent.glob("*.py") if p.stem != "__init__"]
        raise ConfigError(f"There is no config file {path!r}{near(path, siblings)}")
    get_config = runpy.run_path(path).get("get_config")
    if get_config is None:
        raise ConfigError(f"{path} must define get_config(), which returns a ConfigDict.")
    return get_config(variant) if variant else get_config()


def _override(config: Any, name: str, text: str) -> None:
    *parents, field = name.removeprefix("--config.").split(".")
    if parents == ["dataset"] and isinstance(config.dataset, str):
        fields = {"target": "scenic_video.data.datasets:open_dataset", "path": config.dataset}
        with config.ignore_type():
            config.dataset = ConfigDict(fields)
    node = config
    for depth, parent in enumerate(parents):
        if not _is_node(node) or parent not in node:
            if parent in _fields(node):
                whole = ".".join(["--config", *parents[: depth + 1]])
                rest = ".".join([*parents[depth + 1 :], field])
                raise ConfigError(
                    f"{name}: the config says nothing of {parent!r} yet. Set it as a whole: "
                    f"{whole}=\"{{'{rest}': {text}}}\""
                )
            raise ConfigError(f"{name}: there is no {parent!r}{near(parent, _fields(node))}")
        node = node[parent]
    if not _is_node(node) or not (field in _fields(node) or _takes_any(node)):
        raise ConfigError(f"{name}: there is no field {field!r}{near(field, _fields(node))}")
    is_dataset = name == "--config.dataset"  # a path or a name may stand for the node
    value = text if is_dataset else _parse(name, text, node.get(field))
    with node.ignore_type():  # `_parse` has checked it
        node[field] = value
        if parents == ["trainer"] and field in ONE_OF and ONE_OF[field] in node:
            del node[ONE_OF[field]]


def _is_node(value: Any) -> bool:
    return isinstance(value, ConfigDict)


def _fields(node: Any) -> list[str]:
    """The fields that a node has or could have."""
    if not _is_node(node):
        return []
    fields = node.to_dict()
    parameters = inspect.signature(resolve(fields["target"])).parameters if "target" in node else ()
    return list(dict.fromkeys([*fields, *parameters]))


def _takes_any(node: Any) -> bool:
    """Whether the constructor passes further fields on."""
    parameters = inspect.signature(resolve(node.target)).parameters if "target" in node else {}
    return any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _parse(name: str, text: str, old: Any) -> Any:
    if isinstance(old, str):
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = {"true": True, "false": False, "none": None}.get(text.lower(), text)
    if isinstance(old, float) and type(value) is int:
        value = float(value)
    if isinstance(old, tuple) and isinstance(value, list):
        value = tuple(value)
    if old is not None and value is not None and type(value) is not type(old):
        raise ConfigError(f"{name} is {_kind(old)} ({old!r}), but {text!r} is {_kind(value)}.")
    return value


def _kind(value: Any) -> str:
    return "node" if _is_node(value) else type(value).__name__
