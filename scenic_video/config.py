"""Turns a config node into the object it describes."""

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any


class ConfigError(ValueError):
    """A config that cannot be built; the message names the field and the nearest right one."""


def build(node: Mapping[str, Any], **runtime: Any) -> Any:
    """Calls what `node["target"]` names ("package.module:name") with the node's other fields.

    The callee's signature is the schema: a misspelt, missing or unknown field is a `ConfigError`.
    `runtime` adds what exists only at run time, such as the model that a task trains. Nested
    nodes with a `target` of their own are built first.
    """
    fields = dict(node)
    if "target" not in fields:
        raise ConfigError(f"A config node needs a `target` ('package.module:name'); got {fields}.")
    target = fields.pop("target")
    function = resolve(target)
    fields = {name: _build_nested(value) for name, value in fields.items()}
    _check_signature(target, function, fields, runtime)
    return function(**fields, **runtime)


def resolve(target: str) -> Callable[..., Any]:
    """The object that "package.module:name" names."""
    module_name, colon, name = target.partition(":")
    if not colon:
        raise ConfigError(f"target {target!r} must read 'package.module:name'.")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and module_name.startswith(error.name):
            raise ConfigError(f"target {target!r}: there is no module {error.name!r}.") from error
        raise
    if not hasattr(module, name):
        raise ConfigError(
            f"target {target!r}: {module_name} has no {name!r}{near(name, dir(module))}"
        )
    found = getattr(module, name)
    if not callable(found):
        raise ConfigError(f"target {target!r} is no class and no function, so it cannot be built.")
    return found


def near(name: str, known: list[str]) -> str:
    """The end of an error's sentence: the nearest known name, if one is near."""
    matches = difflib.get_close_matches(name, known, n=1)
    return f". Did you mean {matches[0]!r}?" if matches else "."


def _build_nested(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "target" in value:
            return build(value)
        return {name: _build_nested(item) for name, item in value.items()}
    return value


def _check_signature(target: str, function: Callable[..., Any], fields: dict, runtime: dict):
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for name in fields:
        if name not in parameters:
            raise ConfigError(f"{target} has no field {name!r}{near(name, list(parameters))}")
        if name in runtime:
            raise ConfigError(
                f"{target}: {name!r} is known at run time; leave it out of the config."
            )
    missing = [
        name
        for name, p in parameters.items()
        if p.default is p.empty
        and p.kind is not p.VAR_POSITIONAL
        and name not in fields
        and name not in runtime
    ]
    if missing:
        raise ConfigError(f"{target} also needs {', '.join(missing)}.")
