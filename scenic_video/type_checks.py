"""Whether a value has the type of an annotation, and a description of that type for messages.

Numbers must be finite; an integer is accepted as a float, but a bool is not a number. Lists and
tuples are interchangeable, since JSON has no tuples. Ranges and lengths are those of
`annotated_types`. Other annotations, such as arrays and protocols, accept any value.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import Parameter
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import numpy as np

SCALARS = {str: "text", bool: "True or False", NoneType: "None", int: "a whole number"}
SCALARS |= {float: "a number"}


def fits(value: Any, annotation: Any) -> bool:
    """Whether a field with this annotation may have this value."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = _bounds(annotation)
        return fits(value, arguments[0]) and (value is None or _is_within(value, bounds))
    if origin in (Union, UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is Literal:
        return any(type(value) is type(known) and value == known for known in arguments)
    if annotation is None or annotation in SCALARS:
        return _is_scalar(value, NoneType if annotation is None else annotation)
    kind = origin or annotation
    if not isinstance(kind, type):
        return True
    if issubclass(kind, Sequence):
        return _is_sequence(value, kind, arguments)
    if issubclass(kind, Mapping):
        return isinstance(value, Mapping) and _all_fit(value.values(), arguments[1:])
    return _is_instance(value, kind)


def describe(annotation: Any) -> str:
    """What an annotation allows, as the end of a sentence: "a whole number above 0, or None"."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        kind, separator, elements = describe(arguments[0]).partition(", each item ")
        return kind + _range_words(_bounds(annotation)) + separator + elements
    if origin in (Union, UnionType):
        members = [x for x in arguments if not (x is int and float in arguments)]
        return ", or ".join(dict.fromkeys(describe(member) for member in members))
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if annotation is Any:
        return "anything"
    if annotation is None or annotation in SCALARS:
        return SCALARS[NoneType if annotation is None else annotation]
    kind = origin or annotation
    if isinstance(kind, type) and issubclass(kind, Sequence):
        elements = [x for x in arguments if x is not ...]
        each = " and ".join(dict.fromkeys(describe(element) for element in elements))
        return f"a sequence, each item {each}" if each else "a sequence"
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return f"a mapping to {describe(arguments[1])}" if arguments else "a mapping"
    return f"a {getattr(kind, '__name__', kind)}"


def _is_scalar(value: Any, kind: type) -> bool:
    if kind in (int, float):
        number = Integral if kind is int else Real
        return isinstance(value, number) and not isinstance(value, bool) and _is_finite(value)
    return isinstance(value, (bool, np.bool_) if kind is bool else kind)


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that is too large for a float
        return False


def _is_sequence(value: Any, kind: type, arguments: tuple[Any, ...]) -> bool:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return kind is not str and isinstance(value, kind) and not isinstance(value, str | bytes)
    if kind is tuple and arguments and arguments[-1] is not ...:
        pairs = zip(value, arguments, strict=False)
        return len(value) == len(arguments) and all(fits(x, wanted) for x, wanted in pairs)
    return _all_fit(value, arguments[:1])


def _all_fit(values: Any, arguments: tuple[Any, ...]) -> bool:
    return not arguments or all(fits(value, arguments[0]) for value in values)


def _is_instance(value: Any, kind: type) -> bool:
    if kind is Callable or kind.__module__ == "collections.abc" and kind.__name__ == "Callable":
        return callable(value)
    if kind in (object, Parameter.empty):
        return True
    try:
        return isinstance(value, kind)
    except TypeError:  # a protocol, for which isinstance fails
        return True


def _bounds(annotation: Any) -> list[Any]:
    """The ranges and lengths of an `Annotated`, one by one."""
    return [part for metadata in annotation.__metadata__ for part in _parts(metadata)]


def _parts(metadata: Any) -> Iterator[Any]:
    if isinstance(metadata, annotated_types.GroupedMetadata):
        for part in metadata:
            yield from _parts(part)
    else:
        yield metadata


def _is_within(value: Any, bounds: Sequence[Any]) -> bool:
    for bound in bounds:
        match bound:
            case annotated_types.Gt(gt=limit):
                holds = value > limit
            case annotated_types.Ge(ge=limit):
                holds = value >= limit
            case annotated_types.Lt(lt=limit):
                holds = value < limit
            case annotated_types.Le(le=limit):
                holds = value <= limit
            case annotated_types.MinLen(min_length=limit):
                holds = len(value) >= limit
            case annotated_types.MaxLen(max_length=limit):
                holds = len(value) <= limit
            case _:
                holds = True
        if not holds:
            return False
    return True


def _range_words(bounds: Sequence[Any]) -> str:
    texts = []
    for bound in bounds:
        match bound:
            case annotated_types.Gt(gt=limit):
                texts.append(f"above {limit}")
            case annotated_types.Ge(ge=1):
                texts.append("above 0")
            case annotated_types.Ge(ge=limit):
                texts.append(f"from {limit} up")
            case annotated_types.Lt(lt=limit):
                texts.append(f"below {limit}")
            case annotated_types.Le(le=limit):
                texts.append(f"at most {limit}")
            case annotated_types.MinLen(min_length=limit):
                texts.append(f"of length {limit} or more")
            case annotated_types.MaxLen(max_length=limit):
                at_least = f"of length {limit} or more"
                is_exact = at_least in texts
                texts = [text for text in texts if text != at_least]
                texts.append(f"of length {limit}" + ("" if is_exact else " or less"))
    return " " + " and ".join(texts) if texts else ""
