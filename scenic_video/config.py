"""Turns a config node into the object it describes."""

import difflib
import functools
import importlib
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar, get_args, get_origin

from scenic_video import type_checks
from scenic_video.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")


class ConfigError(UserError):
    """A config that cannot be built; the message names the field and suggests a similar name."""


def build(node: Mapping[str, Any], **runtime: Any) -> Any:
    """Calls what `node["target"]` names ("package.module:name") with the other fields of the node.

    The signature of the target is the schema: a misspelt, missing or unknown field is a
    `ConfigError`, and so are a value that its annotation does not allow (see `type_checks`) and any
    ValueError of the target, whose message is kept.
    `runtime` adds arguments that exist only at run time, such as the model that a task trains.
    Nested nodes, which have a `target` themselves, are built first; for a parameter annotated as a
    `Callable`, the node becomes the function that it names, with its other fields bound. Lists of
    nodes become lists of objects.
    """
    fields = dict(node)
    if "target" not in fields:
        raise ConfigError(f"A config node needs a `target` ('package.module:name'); got {fields}.")
    target = fields.pop("target")
    function = resolve(target)
    fields = _checked_fields(target, function, fields, runtime)
    _check_complete(target, function, fields | runtime)
    try:
        return function(**fields, **runtime)
    except UserError:
        raise
    except ValueError as error:
        raise ConfigError(f"{target}: {error}") from error


def check_values(node: Any, name: str) -> None:
    """Errors: ConfigError that names the field ("trainer.log_every") if a value in the node `name`,
    or in a nested node, is not allowed by its constructor. Nothing is built."""
    if isinstance(node, list | tuple):
        for place, value in enumerate(node):
            check_values(value, f"{name}.{place}")
    elif isinstance(node, Mapping):
        for field, value in node.items():
            check_values(value, f"{name}.{field}" if name else field)
        if "target" in node:
            fields = {field: value for field, value in node.items() if not _holds_nodes(value)}
            target = fields.pop("target")
            _check_values(name, resolve(target), fields)


def resolve(target: Any) -> Callable[..., Any]:
    """The object that "package.module:name" names."""
    module_name, colon, name = target.partition(":") if isinstance(target, str) else ("", "", "")
    if not colon:
        raise ConfigError(f"target {target!r} must have the form 'package.module:name'.")
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
        raise ConfigError(f"target {target!r} is neither a class nor a function.")
    return found


def near(name: str, known: Iterable[str], *, most: int = 1) -> str:
    """The end of an error message: the most similar known names, if there are any."""
    matches = difflib.get_close_matches(name, list(known), n=most)
    return f". Did you mean {' or '.join(map(repr, matches))}?" if matches else "."


def refuse_unknown(given: Iterable[str], known: Collection[str], *, of: str) -> None:
    """Errors: ConfigError for a `given` field that is not one of the `known` fields of `of`."""
    for name in given:
        if name not in known:
            raise ConfigError(f"{of} has no field {name!r}{near(name, known)}")


def check_fields(made: Any, names: Collection[str] | None = None) -> None:
    """Checks fields of an object, all or those in `names`, against their annotations.

    `build` does so for nodes; constructors do it for Python code that calls them directly.
    """
    fields = {name: value for name, value in vars(made).items() if names is None or name in names}
    _check_values(type(made).__name__, type(made), fields)


def check_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """A decorator that checks arguments against annotations, as `build` does for nodes, for
    functions that Python code calls directly."""
    signature = inspect.signature(function)
    where = function.__qualname__.removesuffix(".__init__")

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        _check_values(where, function, signature.bind(*args, **kwargs).arguments)
        return function(*args, **kwargs)

    return checked


def require(wanted: Mapping[str, bool], *, of: Any) -> None:
    """Errors: ConfigError with the description of the first of the `wanted` conditions, which
    combine fields of an object, that does not hold.

    The message shows the fields that the description names, or else all.
    """
    for description, holds in wanted.items():
        if not holds:
            named = [name for name in vars(of) if re.search(rf"\b{name}\b", description)]
            given = ", ".join(f"{name}={getattr(of, name)!r}" for name in named)
            raise ConfigError(f"{type(of).__name__} needs {description}; got {given or of}.")


def is_set(made: Any, name: str) -> bool:
    """Whether a field of a dataclass has another value than its default or None."""
    return getattr(made, name) not in (None, getattr(type(made), name))


def _checked_fields(
    target: str, function: Callable[..., Any], node: Mapping[str, Any], runtime: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of a node, with nested nodes built, checked against the signature."""
    parameters = inspect.signature(function).parameters
    fields = {name: _built(value, _annotation(parameters, name)) for name, value in node.items()}
    _check_names(target, function, fields, runtime)
    _check_values(target.partition(":")[2], function, fields)
    return fields


def _annotation(parameters: Mapping[str, inspect.Parameter], name: str) -> Any:
    """The annotation of the parameter `name`, or else of `**keywords`."""
    if name in parameters:
        return parameters[name].annotation
    return next((p.annotation for p in parameters.values() if p.kind is p.VAR_KEYWORD), None)


def _built(value: Any, annotation: Any) -> Any:
    """`value` with all nodes in it built, or bound if the annotation is a `Callable`."""
    if _is_node(value):
        is_function = annotation is Callable or get_origin(annotation) is Callable
        return _bound(value) if is_function else build(value)
    if isinstance(value, Mapping):
        return {name: _built(item, None) for name, item in value.items()}
    if isinstance(value, list | tuple) and _holds_nodes(value):
        element = next(iter(get_args(annotation)), None)
        return type(value)(_built(item, element) for item in value)
    return value


def _bound(node: Mapping[str, Any]) -> Callable[..., Any]:
    """The function that a node names, with the node's other fields bound."""
    fields = dict(node)
    target = fields.pop("target")
    function = resolve(target)
    return functools.partial(function, **_checked_fields(target, function, fields, {}))


def _check_names(
    target: str,
    function: Callable[..., Any],
    fields: Mapping[str, Any],
    runtime: Mapping[str, Any],
) -> None:
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    refuse_unknown(fields, parameters, of=target)
    for name in fields:
        if name in runtime:
            raise ConfigError(f"{target}: {name!r} is set at run time; leave it out of the config.")


def _check_complete(target: str, function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    missing = [
        name
        for name, p in parameters.items()
        if p.default is p.empty and p.kind is not p.VAR_POSITIONAL and name not in given
    ]
    if missing:
        raise ConfigError(f"{target} also needs {', '.join(missing)}.")


def _check_values(where: str, function: Callable[..., Any], fields: Mapping[str, Any]) -> None:
    """Compares `fields` with the annotations of `function`."""
    parameters = inspect.signature(function).parameters
    for name, value in fields.items():
        annotation = _annotation(parameters, name)
        if annotation is not None and not type_checks.fits(value, annotation):
            raise ConfigError(
                f"{where}.{name} is {_shown(value)}; wanted {type_checks.describe(annotation)}."
            )


def _is_node(value: Any) -> bool:
    return isinstance(value, Mapping) and "target" in value


def _holds_nodes(value: Any) -> bool:
    """Whether `value` is a node, or a list that contains nodes."""
    return _is_node(value) or (isinstance(value, list | tuple) and any(map(_is_node, value)))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
