"""Initialises a model from the weights of another; every array of either is accounted for."""

import collections
import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax.traverse_util import unflatten_dict

from scenic_video.config import near
from scenic_video.errors import UserError
from scenic_video.text_tables import text_table
from scenic_video.weights.model_weights import ModelWeights


@dataclasses.dataclass(frozen=True)
class Take:
    """Where a parameter comes from: a path in the source, and how that array is transformed."""

    path: str
    transform: Callable[[np.ndarray], Any] | None = None
    name: str = ""

    def __call__(self, array: Any) -> np.ndarray:
        array = np.asarray(array)
        return array if self.transform is None else np.asarray(self.transform(array))


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a parameter was loaded from (None: randomly initialised), how, and its shape."""

    path: str
    source: str | None
    transform: str
    shape: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """The origin of every parameter. As a string, a table in which equal layers share a line."""

    rows: tuple[Origin, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        layers = collections.Counter(_line(row) for row in self.rows)
        rows = [(*line, str(count) if count > 1 else "") for line, count in layers.items()]
        table = [text_table(("parameter", "from", "transform", "shape", "layers"), rows)]
        loaded = sum(row.source is not None for row in self.rows)
        table.append(
            f"{loaded} parameters loaded, {len(self.rows) - loaded} randomly initialised, "
            f"{len(self.unused)} of the source not used"
        )
        return "\n".join(table + [f"not used: {path}" for path in self.unused])


def initialize(
    *,
    target: ModelWeights,
    source: ModelWeights,
    takes: Mapping[str, Take] | None = None,
    allow_random: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
) -> tuple[dict[str, Any], LoadReport]:
    """The parameters of `target` with the values of `source`, and a report.

    `takes` maps the path of a parameter to where it comes from; without it, parameters come from
    the same path in the source. `allow_random` holds regular expressions of whole paths that keep
    the target's own values, even if the source has some; `allow_unused` those of source arrays that
    are not used. Errors: UserError that lists every parameter that is neither loaded nor in
    `allow_random`, every array that is neither used nor in `allow_unused`, and shapes that differ.
    """
    flat_target, flat_source = target.flat, source.flat
    takes = {path: Take(path) for path in flat_target} if takes is None else takes
    problems = _unmatched(allow_random, flat_target)
    params, rows = {}, []
    for path, leaf in flat_target.items():
        if _matches(path, allow_random):
            problems += _abstract(path, leaf)
            params[path], row = leaf, Origin(path, None, "", tuple(leaf.shape))
        elif path not in takes or takes[path].path not in flat_source:
            problems.append(_missing(path, takes.get(path), flat_source))
            continue
        else:
            take = takes[path]
            try:
                value = take(flat_source[take.path])
            except ValueError as error:
                problems.append(f"{path}: {error}")
                continue
            problems += _misfit(path, leaf, take, value)
            params[path] = value.astype(leaf.dtype)
            row = Origin(path, take.path, take.name, tuple(leaf.shape))
        rows.append(row)
    used = {row.source for row in rows}
    unused = tuple(path for path in flat_source if path not in used)
    problems += [
        f"source {path} {list(flat_source[path].shape)} is not used, and not in allow_unused"
        for path in unused
        if not _matches(path, allow_unused)
    ]
    if problems:
        raise UserError(
            f"The weights of {source.name} cannot initialise this model:\n  "
            + "\n  ".join(problems)
        )
    return unflatten_dict(params, sep="/"), LoadReport(tuple(rows), unused)


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(re.fullmatch(pattern, path) for pattern in patterns)


def _unmatched(patterns: Sequence[str], target: Mapping[str, Any]) -> list[str]:
    return [
        f"allow_random {pattern!r} matches no parameter{near(pattern, target, most=3)}"
        for pattern in patterns
        if not any(re.fullmatch(pattern, path) for path in target)
    ]


def _missing(path: str, take: Take | None, source: Mapping[str, Any]) -> str:
    if take is None:
        return f"{path} has no source; load it, or name it in allow_random"
    return f"{path} needs {take.path}, which the source lacks{near(take.path, source, most=3)}"


def _misfit(path: str, leaf: Any, take: Take, value: np.ndarray) -> list[str]:
    if value.shape == tuple(leaf.shape):
        return []
    how = f" by {take.name}" if take.name else ""
    return [f"{path} is {list(leaf.shape)}, but {take.path}{how} gives {list(value.shape)}"]


def _abstract(path: str, leaf: Any) -> list[str]:
    """A leaf that has only a shape must be loaded."""
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return [f"{path} is in allow_random, but the target has only its shape"]
    return []


def _line(row: Origin) -> tuple[str, str, str, str]:
    def any_layer(path: str) -> str:
        return re.sub(r"block_\d+", "block_*", path)

    source = "(random)" if row.source is None else any_layer(row.source)
    return any_layer(row.path), source, row.transform, str(list(row.shape))
