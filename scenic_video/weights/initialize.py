"""Initialises a model from the weights of another; every array of either is accounted for."""

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax.traverse_util import unflatten_dict

from scenic_video.config import near
from scenic_video.errors import UserError
from scenic_video.weights.load_report import LoadReport, Origin, any_layer
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
    `allow_random`, every array that is neither used nor in `allow_unused`, shapes that differ, and
    values that are not finite.
    """
    flat_target, flat_source = target.flat, source.flat
    takes = {path: Take(path) for path in flat_target} if takes is None else takes
    problems = _unmatched(allow_random, flat_target)
    params, rows, missing, used = {}, [], {}, set()
    for path, leaf in flat_target.items():
        take = takes.get(path)
        try:
            if _matches(path, allow_random):
                params[path], row = _random(path, leaf)
            elif take is None or take.path not in flat_source:
                missing[path] = take
                continue
            else:
                used.add(take.path)
                params[path], row = _loaded(path, leaf, take, flat_source[take.path])
        except ValueError as error:
            problems.append(Problem(str(error)))
            continue
        rows.append(row)
    unused = tuple(path for path in flat_source if path not in used)
    refused = [path for path in unused if not _matches(path, allow_unused)]
    problems += [_missing(path, take, flat_source, refused) for path, take in missing.items()]
    problems += [_not_used(path, flat_source, missing) for path in refused]
    if problems:
        raise UserError(
            f"The weights of {source.name} cannot initialise this model:\n  "
            + "\n  ".join(_lines(problems))
        )
    return unflatten_dict(params, sep="/"), LoadReport(tuple(rows), unused)


def _random(path: str, leaf: Any) -> tuple[Any, Origin]:
    """The target's own values; a leaf that has only a shape must be loaded."""
    if isinstance(leaf, jax.ShapeDtypeStruct):
        raise UserError(f"{path} is in allow_random, but the target has only its shape")
    norm = norm_of(leaf)
    return leaf, Origin(path, None, "", tuple(leaf.shape), norm=norm, initial_norm=norm)


def _loaded(path: str, leaf: Any, take: Take, array: Any) -> tuple[np.ndarray, Origin]:
    """The values of the source for a parameter. Errors: ValueError."""
    shape, how = tuple(leaf.shape), f" by {take.name}" if take.name else ""
    try:
        value = take(array)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    if value.shape != shape:
        raise UserError(f"{path} is {list(shape)}, but {take.path}{how} gives {list(value.shape)}")
    with np.errstate(over="ignore"):
        value = value.astype(leaf.dtype)
    source_norm, norm = norm_of(array), norm_of(value)
    if not np.isfinite((source_norm, norm)).all():
        raise UserError(f"{path}: {take.path}{how} has values that are not finite")
    initial, unchanged, constant = None, False, False
    if not isinstance(leaf, jax.ShapeDtypeStruct):
        random = np.asarray(leaf)
        initial = norm_of(random)
        unchanged = np.array_equal(value, random)
        constant = bool((random == random.flat[:1]).all())
    row = Origin(
        path=path,
        source=take.path,
        transform=take.name,
        shape=shape,
        source_shape=tuple(array.shape),
        source_norm=source_norm,
        norm=norm,
        initial_norm=initial,
        unchanged=unchanged,
        constant=constant,
    )
    return value, row


def norm_of(array: Any) -> float:
    """The L2 norm; it is finite if all values are."""
    flat = np.asarray(array).ravel()
    with np.errstate(all="ignore"):
        norm = np.linalg.norm(flat.astype(np.float32, copy=False))
        return float(norm if np.isfinite(norm) else np.linalg.norm(flat.astype(np.float64)))


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(re.fullmatch(pattern, path) for pattern in patterns)


@dataclasses.dataclass(frozen=True)
class Problem:
    """A reason not to load, and the names among which those similar to `name` are looked up."""

    text: str
    name: str = ""
    known: Collection[str] = ()

    def line(self, layers: int) -> str:
        """The sentence, for the first of so many layers that have it."""
        more = f" (and so in {layers - 1} more layers)" if layers > 1 else ""
        return f"{self.text}{more}{near(self.name, self.known, most=3) if self.name else ''}"


def _lines(problems: Sequence[Problem]) -> list[str]:
    """A line for each problem; one for all layers that have the same."""
    layers: dict[str, list[Problem]] = {}
    for problem in problems:
        layers.setdefault(any_layer(problem.text), []).append(problem)
    return [found[0].line(len(found)) for found in layers.values()]


def _unmatched(patterns: Sequence[str], target: Mapping[str, Any]) -> list[Problem]:
    return [
        Problem(f"allow_random {pattern!r} matches no parameter", pattern, target)
        for pattern in patterns
        if not any(re.fullmatch(pattern, path) for path in target)
    ]


def _missing(
    path: str, take: Take | None, source: Mapping[str, Any], refused: Collection[str]
) -> Problem:
    if take is None:
        words = f"{path} has no source; load it, or name it in allow_random"
        return Problem(words, path, refused)
    return Problem(f"{path} needs {take.path}, which the source lacks", take.path, source)


def _not_used(path: str, source: Mapping[str, Any], missing: Collection[str]) -> Problem:
    shape = list(source[path].shape)
    return Problem(f"source {path} {shape} is not used, and not in allow_unused", path, missing)
