"""Configs that are one row of a table each, `file.py:row`."""

from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")


def choose(variants: Mapping[str, Value], name: str) -> Value:
    """What a variant stands for; a ValueError that lists them for a name that is none."""
    if name not in variants:
        raise ValueError(f"There is no variant {name!r}; there are {', '.join(variants)}.")
    return variants[name]
