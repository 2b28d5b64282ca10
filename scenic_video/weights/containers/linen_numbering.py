"""Numbers of modules in files from before Flax's Linen.

There, the modules of a block were counted together: LayerNorm_0, MultiHeadDotProductAttention_1,
LayerNorm_2, MlpBlock_3. Linen counts each kind by itself. The public ViTs of 2020 and AugReg, and
the oldest files of Scenic, are numbered so.
"""

import collections
import re
from collections.abc import Iterable

from scenic_video.weights.containers.weight_file import Arrays, StoredArray

NUMBERED = re.compile(r"([A-Z][A-Za-z0-9]*)_(\d+)")
"""A module that Flax named by its class; names that a model gives begin in lower case."""


def linen_names(arrays: Arrays) -> tuple[dict[str, StoredArray], int]:
    """`arrays` by Linen's paths, and how many changed their name."""
    new = _new_names(arrays)
    renamed = {
        "/".join(new.get(tuple(parts[: n + 1]), parts[n]) for n in range(len(parts))): array
        for name, array in arrays.items()
        for parts in [name.split("/")]
    }
    return renamed, sum(old != name for old, name in zip(arrays, renamed, strict=True))


def _new_names(paths: Iterable[str]) -> dict[tuple[str, ...], str]:
    """Path of a module -> its last name in Linen, for modules that are numbered otherwise."""
    children: dict[tuple[str, ...], dict[str, None]] = collections.defaultdict(dict)
    for path in paths:
        parts = path.split("/")
        for n in range(len(parts)):
            children[tuple(parts[:n])][parts[n]] = None
    found = {}
    for parent, names in children.items():
        for old, new in _renumbered(names).items():
            found[*parent, old] = new
    return found


def _renumbered(names: Iterable[str]) -> dict[str, str]:
    """Old -> new name in one module, if its children are counted together from 0."""
    matches = [match for name in names if (match := NUMBERED.fullmatch(name))]
    matches.sort(key=lambda match: int(match[2]))
    together = [int(match[2]) for match in matches] == list(range(len(matches)))
    if not together or len({match[1] for match in matches}) < 2:
        return {}
    counts: collections.Counter[str] = collections.Counter()
    found = {}
    for match in matches:
        found[match[0]] = f"{match[1]}_{counts[match[1]]}"
        counts[match[1]] += 1
    return found
