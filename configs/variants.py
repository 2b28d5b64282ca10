"""Config files with one variant per row of a table, `file.py:row`."""

from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")


def choose(variants: Mapping[str, Value], name: str) -> Value:
    """The value of a variant. Errors: ValueError that lists the variants, for an unknown name."""
    if name not in variants:
        raise ValueError(f"There is no variant {name!r}; there are {', '.join(variants)}.")
    return variants[name]
