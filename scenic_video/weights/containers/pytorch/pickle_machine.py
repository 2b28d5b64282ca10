"""Follows the instructions of a pickle without running them.

`pickletools` splits a pickle into its instructions. Here each one builds plain data: lists, dicts,
tuples, text, numbers. What a pickle would import becomes a `Name`, and what it would call a
`Call` with its arguments, so that nothing outside of this module is ever executed.
"""

import dataclasses
import io
import pickletools
from collections.abc import Callable
from typing import Any

from scenic_video.weights.containers.bounds import LARGEST_TEXT, MOST_NODES, add_new
from scenic_video.weights.containers.weight_file import Malformed


@dataclasses.dataclass(frozen=True)
class Name:
    """A class or function that the pickle names."""

    path: str


@dataclasses.dataclass(eq=False)
class Call:
    """A function or class that would be called; `state` is what would be set on the result."""

    function: Any
    arguments: Any
    state: Any = None
    items: list[Any] = dataclasses.field(default_factory=list)
    """What would be appended, or pairs that would be set."""


@dataclasses.dataclass(frozen=True)
class Reference:
    """A persistent id: what it refers to is stored outside of the pickle."""

    key: Any


@dataclasses.dataclass(eq=False)
class OddKey:
    """A key of a dict that is neither text nor a number."""

    value: Any


PLAIN_DICTS = ("collections.OrderedDict", "__builtin__.dict", "builtins.dict")
_MARK = object()
_CONSTANTS = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
    "MARK": lambda: _MARK,
}
_LITERALS = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT UNICODE BINUNICODE BINUNICODE8 "
    "SHORT_BINUNICODE STRING BINSTRING SHORT_BINSTRING BINBYTES BINBYTES8 SHORT_BINBYTES "
    "BYTEARRAY8".split()
)
_IGNORED = frozenset(("PROTO", "FRAME"))


def follow(file: io.BytesIO) -> tuple[Any, list[Reference]]:
    """The object of the pickle that begins at the position of `file`, and its persistent ids.

    `file` is left where the pickle ends. Errors: Malformed for an instruction that no checkpoint
    has; others for damage.
    """
    machine = _Machine()
    for count, (instruction, argument, _) in enumerate(pickletools.genops(file)):
        if count > 8 * MOST_NODES or file.tell() > LARGEST_TEXT:
            raise Malformed("its pickle has more instructions than any checkpoint")
        name = instruction.name
        if name == "STOP":
            break
        machine.follow(name, argument)
    return machine.pop(), machine.references


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.references: list[Reference] = []

    def follow(self, name: str, argument: Any) -> None:
        if name in _IGNORED:
            return
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        else:
            raise Malformed(f"its pickle has the instruction {name}, which no checkpoint needs")

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise Malformed("its pickle ends a list that it does not begin")
        return value

    def top(self) -> Any:
        return self.stack[-1]

    def to_mark(self) -> list[Any]:
        start = len(self.stack) - 1
        while self.stack[start] is not _MARK:
            start -= 1
            if start < 0:
                raise Malformed("its pickle ends a list that it does not begin")
        items = self.stack[start + 1 :]
        del self.stack[start:]
        return items

    def put(self, key: Any) -> None:
        self.memo[int(key)] = self.top()

    def get(self, key: Any) -> None:
        self.stack.append(self.memo[int(key)])

    def duplicate(self, _: Any) -> None:
        self.stack.append(self.top())

    def drop(self, _: Any) -> None:
        self.stack.pop()

    def drop_to_mark(self, _: Any) -> None:
        self.to_mark()

    def append(self, _: Any) -> None:
        value = self.pop()
        _extend(self.top(), [value])

    def appends(self, _: Any) -> None:
        values = self.to_mark()
        _extend(self.top(), values)

    def set_item(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        _set_items(self.top(), [key, value])

    def set_items(self, _: Any) -> None:
        flat = self.to_mark()
        _set_items(self.top(), flat)

    def build_list(self, _: Any) -> None:
        self.stack.append(self.to_mark())

    def build_tuple(self, _: Any) -> None:
        self.stack.append(tuple(self.to_mark()))

    def build_dict(self, _: Any) -> None:
        made: dict[Any, Any] = {}
        _set_items(made, self.to_mark())
        self.stack.append(made)

    def build_tuple_of(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.stack.append(tuple(reversed(items)))

    def name(self, argument: str) -> None:
        self.stack.append(Name(argument.replace(" ", ".", 1)))

    def name_of_stack(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        self.stack.append(Name(f"{module}.{name}"))

    def call(self, _: Any) -> None:
        arguments, function = self.pop(), self.pop()
        self.stack.append(_called(function, arguments))

    def call_with_keywords(self, _: Any) -> None:
        keywords, arguments, function = self.pop(), self.pop(), self.pop()
        self.stack.append(Call(function, (arguments, keywords)))

    def call_of_mark(self, _: Any) -> None:
        function, *arguments = self.to_mark()
        self.stack.append(Call(function, tuple(arguments)))

    def call_named(self, argument: str) -> None:
        self.stack.append(Call(Name(argument.replace(" ", ".", 1)), tuple(self.to_mark())))

    def set_state(self, _: Any) -> None:
        state = self.pop()
        if isinstance(self.top(), Call):
            self.top().state = state
        elif not isinstance(self.top(), dict):  # an OrderedDict's attributes are dropped
            raise Malformed(f"its pickle changes a {type(self.top()).__name__}")

    def refer(self, _: Any) -> None:
        self.references.append(Reference(self.pop()))
        self.stack.append(self.references[-1])


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "POP": _Machine.drop,
    "POP_MARK": _Machine.drop_to_mark,
    "DUP": _Machine.duplicate,
    "PUT": _Machine.put,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    "GET": _Machine.get,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "ADDITEMS": _Machine.appends,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "LIST": _Machine.build_list,
    "TUPLE": _Machine.build_tuple,
    "TUPLE1": lambda machine, _: machine.build_tuple_of(1),
    "TUPLE2": lambda machine, _: machine.build_tuple_of(2),
    "TUPLE3": lambda machine, _: machine.build_tuple_of(3),
    "DICT": _Machine.build_dict,
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.name_of_stack,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "NEWOBJ_EX": _Machine.call_with_keywords,
    "OBJ": _Machine.call_of_mark,
    "INST": _Machine.call_named,
    "BUILD": _Machine.set_state,
    "BINPERSID": _Machine.refer,
}


def _called(function: Any, arguments: Any) -> Any:
    """A plain dict where an ordered one would be made, and a `Call` of anything else."""
    if isinstance(function, Name) and function.path in PLAIN_DICTS:
        pairs = arguments[0] if arguments else ()
        made: dict[Any, Any] = {}
        for key, value in pairs.items() if isinstance(pairs, dict) else pairs:
            add_new(made, _key(key), value)
        return made
    return Call(function, arguments)


def _extend(target: Any, values: list[Any]) -> None:
    if isinstance(target, Call):
        target.items += values
    elif isinstance(target, set):
        target |= {_key(value) for value in values}
    elif isinstance(target, list):
        target += values
    else:
        raise Malformed(f"its pickle appends to a {type(target).__name__}")


def _set_items(target: Any, flat: list[Any]) -> None:
    pairs = list(zip(flat[::2], flat[1::2], strict=True))
    if isinstance(target, Call):
        target.items += pairs
    elif isinstance(target, dict):
        for key, value in pairs:
            add_new(target, _key(key), value)
    else:
        raise Malformed(f"its pickle sets items of a {type(target).__name__}")


def _key(value: Any) -> Any:
    """Only text and numbers are hashed: nested tuples could take forever."""
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    return OddKey(value)
