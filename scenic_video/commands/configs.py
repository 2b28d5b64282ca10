"""Reads `--config=FILE[:VARIANT] --config.field=value ...` into a ConfigDict."""

import ast
import functools
import inspect
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from scenic_video.commands.config_files import run_config
from scenic_video.commands.config_lists import depth_of_list, position_in
from scenic_video.config import ConfigError, near, resolve
from scenic_video.runs.config_nodes import NODES, complete

ALTERNATIVES = {"num_steps": "num_epochs", "num_epochs": "num_steps"}
"""Fields of the trainer of which one is set; an override of one removes the other."""


def load_config(arguments: Sequence[str]) -> Any:
    """The config that `arguments` name, with overrides and defaults: a locked ConfigDict.

    An override may set any field of a node's constructor, whether the config sets it or not, or
    replace a whole node. Errors: ConfigError for a missing file, a misspelt field or a value of the
    wrong type.
    """
    pairs = _pairs(arguments)
    names = [value for name, value in pairs if name == "--config"]
    if len(names) != 1:
        raise ConfigError("Give one config: --config=FILE, such as configs/quickstart.py.")
    named = run_config(names[0])
    config: Any = completed(named)
    implied = None if (named.get("init") or {}).get("target") else config.init.target
    for name, value in pairs:
        if name != "--config":
            _override(config, name, value)
    if config.init.get("target") == implied:
        config.init.target = ""  # that of the model, which may be another one now
    return completed(config).lock()


def load_overrides(config: Mapping[str, Any], arguments: Sequence[str]) -> dict[str, Any]:
    """The completed `config` with the overrides among `arguments`, without those of the file."""
    changed = ConfigDict(dict(config))
    for name, value in _pairs(arguments):
        if name != "--config":
            _override(changed, name, value)
    return completed(changed).to_dict()


def load_file(arguments: Sequence[str]) -> dict[str, Any] | None:
    """The config file that `arguments` name, without their overrides; None if they name none."""
    named = [f"{name}={value}" for name, value in _pairs(arguments) if name == "--config"]
    return load_config(named).to_dict() if named else None


def completed(config: ConfigDict) -> ConfigDict:
    """`config` with all nodes, their targets and defaults of what is left out."""
    return ConfigDict(complete(config.to_dict()))


def _pairs(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Both `--config.a=1` and `--config.a 1`, as (name, value)."""
    pairs: list[tuple[str, str]] = []
    remaining = list(arguments)
    while remaining:
        name, equals, value = remaining.pop(0).partition("=")
        if not name.startswith("--config"):
            last = pairs[-1][0] if pairs else "--config"
            raise ConfigError(
                f"{name!r} does not belong to a flag. Write {last}=VALUE without spaces, or with "
                "quotes around the value."
            )
        if not equals:
            if not remaining:
                raise ConfigError(f"{name} has no value.")
            value = remaining.pop(0)
            if value.startswith("="):
                value = value.removeprefix("=") or (remaining[0] if remaining else "VALUE")
                raise ConfigError(f"There is a space around '='. Write {name}={value}.")
        pairs.append((name, value))
    return pairs


def _override(config: Any, name: str, text: str) -> None:
    parts = name.removeprefix("--config.").split(".")
    listed = depth_of_list(config, parts)
    if listed is None:
        _override_field(config, parts, name, text)
        return
    *parents, field = parts[:listed]
    node = functools.reduce(operator.getitem, parents, config)
    items = node[field]
    position = position_in(items, parts[listed], name=name)
    item = ConfigDict(items[position])
    _override_field(item, parts[listed + 1 :], name, text)
    with node.ignore_type():
        node[field] = type(items)([*items[:position], item.to_dict(), *items[position + 1 :]])


def _override_field(config: Any, parts: Sequence[str], name: str, text: str) -> None:
    *parents, field = parts
    if parents == ["dataset"] and isinstance(config.dataset, str):
        fields = {
            "target": "scenic_video.data.sources.datasets:open_dataset",
            "path": config.dataset,
        }
        with config.ignore_type():
            config.dataset = ConfigDict(fields)
    node = _parent(config, parts, name, text)
    known = _fields(node) if parents or "target" in node else list(NODES)
    is_open = _is_node(node) and (parents == ["evaluators"] or _takes_any(node))
    if not _is_node(node) or not (field in known or is_open):
        raise ConfigError(f"{name}: there is no field {field!r}{near(field, known)}")
    value = _parse(name, text, node.get(field))
    with node.ignore_type():  # `_parse` has checked it
        node[field] = value
        if parents == ["trainer"] and field in ALTERNATIVES and ALTERNATIVES[field] in node:
            del node[ALTERNATIVES[field]]


def _parent(config: Any, parts: Sequence[str], name: str, text: str) -> Any:
    """The node in `config` that has the last of `parts` as a field."""
    *parents, field = parts
    node = config
    for depth, parent in enumerate(parents):
        if not _is_node(node) or parent not in node:
            if parent in _fields(node):
                whole = ".".join(["--config", *parents[: depth + 1]])
                rest = ".".join([*parents[depth + 1 :], field])
                raise ConfigError(
                    f"{name}: the config does not set {parent!r} yet. Set the whole node: "
                    f"{whole}=\"{{'{rest}': {text}}}\""
                )
            raise ConfigError(f"{name}: there is no {parent!r}{near(parent, _fields(node))}")
        node = node[parent]
    return node


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
    """Whether the constructor takes any field (**kwargs)."""
    parameters = inspect.signature(resolve(node.target)).parameters if "target" in node else {}
    return any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _parse(name: str, text: str, old: Any) -> Any:
    # A dataset may be a path or a name instead of a node, so one may replace the other.
    is_dataset = name == "--config.dataset"
    if isinstance(old, str) or is_dataset:
        return _node_of(name, text, old) if is_dataset and text.lstrip().startswith("{") else text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = {"true": True, "false": False, "none": None}.get(text.lower(), text)
    if isinstance(old, float) and type(value) is int:
        value = float(value)
    if isinstance(old, list | tuple) and isinstance(value, list | tuple):
        value = type(old)(value)
    if _is_node(old) and value is not None:
        return _node_of(name, text, old)
    if old is not None and value is not None and type(value) is not type(old):
        raise ConfigError(f"{name} is {_kind(old)} ({old!r}), but {text!r} is {_kind(value)}.")
    return value


def _node_of(name: str, text: str, old: Any) -> dict[str, Any]:
    """The node written in `text`, which replaces `old`.

    A node with a target is replaced only by another with a target; its fields are set one by one.
    """
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ConfigError(
            f"{name} is a node, but {text!r} is not a dict. Write "
            f"{name}=\"{{'target': 'package.module:name', 'field': 1}}\", or {name}.FIELD=VALUE."
        )
    if "target" not in value and (isinstance(old, str) or "target" in old):
        fields = " ".join(f"{name}.{field}={written!r}" for field, written in value.items())
        raise ConfigError(
            f"{name}: a node that replaces it needs a 'target'. To set its fields, write "
            f"{fields or name + '.FIELD=VALUE'}"
        )
    return value


def _kind(value: Any) -> str:
    return "node" if _is_node(value) else type(value).__name__
