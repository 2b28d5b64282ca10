"""Compares what two checkpoints, or a checkpoint and a run, state about themselves."""

from collections.abc import Iterator, Mapping
from typing import Any


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """(field, old value, new value) of all fields that both have with different values; those of
    nodes within are "node.field", and lists equal tuples."""
    for name in (name for name in old if name in new):
        if isinstance(old[name], Mapping) and isinstance(new[name], Mapping):
            yield from differences(old[name], new[name], f"{prefix}{name}.")
        elif _plain(old[name]) != _plain(new[name]):
            yield f"{prefix}{name}", old[name], new[name]


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value
