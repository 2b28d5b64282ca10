"""Limits that keep memory bounded by the size of a file, whatever the file claims."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from scenic_video.weights.containers.weight_file import Arrays, Malformed

EXPANSION = 100
"""The most bytes of arrays for one byte of the file: weights hardly compress, zip bombs do."""
ALLOWANCE = 1 << 24
"""Bytes of arrays that any file may hold, however small it is."""
DEEPEST = 64
"""Nested dicts and lists."""
MOST_NODES = 1_000_000
"""Entries of all dicts and lists of a file."""
MOST_AXES = 32
LARGEST_TEXT = 1 << 26
"""Bytes of a header or a pickle, which is parsed in memory."""


def most_bytes(file_bytes: int) -> int:
    return ALLOWANCE + EXPANSION * file_bytes


def check_total(arrays: Arrays, file_bytes: int) -> None:
    """Errors: Malformed if the arrays claim much more memory than the file can hold."""
    total = sum(array.nbytes for array in arrays.values())
    if total > most_bytes(file_bytes):
        raise Malformed(
            f"its arrays claim {total:,} bytes, more than a file of {file_bytes:,} bytes can hold"
        )


def checked_shape(name: str, shape: Any) -> tuple[int, ...]:
    """Errors: Malformed unless it is a short sequence of counts whose product is addressable."""
    if not isinstance(shape, Sequence) or isinstance(shape, str | bytes):
        raise Malformed(f"the shape of {name!r} is {str(shape)[:80]}")
    whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in shape)
    if not whole or len(shape) > MOST_AXES or math.prod(shape) >= 1 << 60:
        raise Malformed(f"the shape of {name!r} is {str(list(shape))[:80]}, which no array has")
    return tuple(int(n) for n in shape)


def checked_bytes(name: str, shape: tuple[int, ...], dtype: np.dtype, length: int) -> None:
    """Errors: Malformed unless `length` bytes are exactly such an array."""
    wanted = math.prod(shape) * dtype.itemsize
    if wanted != length:
        raise Malformed(
            f"{name!r} is {dtype}{list(shape)}, which needs {wanted:,} bytes, but has {length:,}"
        )


def add_new(mapping: dict[Any, Any], key: Any, value: Any) -> None:
    """Errors: Malformed if the key is there already."""
    if key in mapping:
        raise Malformed(f"the name {str(key)[:200]!r} occurs twice")
    mapping[key] = value


def without_duplicates(pairs: Iterable[tuple[str, Any]]) -> Mapping[str, Any]:
    """For json.loads(object_pairs_hook=...), which would keep the last of equal names."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        add_new(found, key, value)
    return found
