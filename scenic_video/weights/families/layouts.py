"""How one array is laid out in another library and here, in both directions, without a change of
a bit."""

import dataclasses
from collections.abc import Callable

import numpy as np
from einops import rearrange

Arrays = tuple[np.ndarray, ...]


@dataclasses.dataclass(frozen=True)
class Layout:
    """`read` turns a foreign array into the arrays here, given the number of attention heads, and
    `write` turns them back."""

    name: str
    read: Callable[[np.ndarray, int], Arrays]
    write: Callable[[Arrays], np.ndarray]


def by_einops(foreign: str, ours: str, *, heads: bool = False) -> Layout:
    """The layout that einops describes: `foreign` axes -> `ours`, with "heads" a known axis."""

    def read(array: np.ndarray, number: int) -> Arrays:
        return (rearrange(array, f"{foreign} -> {ours}", **({"heads": number} if heads else {})),)

    def write(arrays: Arrays) -> np.ndarray:
        return rearrange(arrays[0], f"{ours} -> {foreign}")

    return Layout(f"{foreign} to {ours}", read, write)


def fused(layout: Layout, number: int = 3) -> Layout:
    """`number` arrays of one `layout`, stacked along the first axis of the foreign one."""

    def read(array: np.ndarray, heads: int) -> Arrays:
        return tuple(layout.read(part, heads)[0] for part in np.split(array, number))

    def write(arrays: Arrays) -> np.ndarray:
        return np.concatenate([layout.write((array,)) for array in arrays])

    return Layout(f"{number} of {layout.name}", read, write)


SAME = Layout("same", lambda array, _: (array,), lambda arrays: arrays[0])
LINEAR = by_einops("o i", "i o")
HEADS_IN = by_einops("(heads d) i", "i heads d", heads=True)
"""The kernel of a query, key or value."""
HEADS_BIAS = by_einops("(heads d)", "heads d", heads=True)
HEADS_OUT = by_einops("o (heads d)", "heads d o", heads=True)
"""The kernel of an attention's output."""
PATCHES = by_einops("o c h w", "h w c o")
TUBELETS = by_einops("o c t h w", "t h w c o")
TABLE = by_einops("n d", "1 n d")
"""Positions without a batch axis."""
