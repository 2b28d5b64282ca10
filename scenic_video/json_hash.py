"""A hash of JSON values that is the same on every machine."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any


def json_hash(values: Iterable[object]) -> str:
    """16 hex digits of the values, which are lists, mappings or text. NumPy scalars are numbers.

    The order of a mapping's keys does not matter. `values` are read one by one, so there can be
    millions. Errors: TypeError for a value that is not JSON.
    """
    digest = hashlib.sha256()
    for value in values:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain_number)
        digest.update(text.encode())
    return digest.hexdigest()[:16]


def _plain_number(value: Any) -> int | float:
    if not hasattr(value, "item"):
        raise TypeError(f"{type(value).__name__} is not JSON")
    return value.item()
