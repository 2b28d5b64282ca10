"""Where the parameters of a model were loaded from: as a table, in one line, and as JSON."""

import dataclasses
import functools
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from scenic_video.number_formats import format_value
from scenic_video.text_tables import text_table

LEAST_COVERAGE = 0.5
"""The share of loaded parameters below which there is a warning."""


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a parameter was loaded from (None: randomly initialised), how, and its shape.

    Norms are L2: `source_norm` that of the source's array, `norm` that of the parameter, and
    `initial_norm` that of its random values. `unchanged` states that a loaded parameter equals its
    random values, and `constant` that these are constant, such as zeros. What is unknown is None.
    """

    path: str
    source: str | None
    transform: str
    shape: tuple[int, ...]
    source_shape: tuple[int, ...] | None = None
    source_norm: float | None = None
    norm: float | None = None
    initial_norm: float | None = None
    unchanged: bool = False
    constant: bool = False


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """The origin of every parameter, and the source's arrays that were not used.

    `chosen` states the function that was chosen by the kind of the source, and why. As a string, a
    table in which equal layers share a line.
    """

    rows: tuple[Origin, ...]
    unused: tuple[str, ...]
    chosen: str = ""

    @functools.cached_property
    def loaded(self) -> tuple[Origin, ...]:
        """The rows of the parameters that were loaded."""
        return tuple(row for row in self.rows if row.source is not None)

    @property
    def coverage(self) -> float:
        """The share of the model's numbers that were loaded, in [0, 1]."""
        return _size(self.loaded) / max(1, _size(self.rows))

    @property
    def summary(self) -> str:
        """The coverage in one line."""
        random = len(self.rows) - len(self.loaded)
        return (
            f"{_size(self.loaded):,} of {_size(self.rows):,} parameters ({self.coverage:.1%}) are "
            f"loaded: {len(self.loaded)} arrays, {random} randomly initialised, "
            f"{len(self.unused)} of the source not used"
        )

    @property
    def random_parts(self) -> list[str]:
        """The parts of the model, by the first name in a path, all of whose values are random."""
        parts: dict[str, list[Origin]] = {}
        for row in self.rows:
            parts.setdefault(row.path.partition("/")[0], []).append(row)
        return [
            part
            for part, rows in parts.items()
            if all(x.source is None or x.unchanged for x in rows)
        ]

    @property
    def warnings(self) -> list[str]:
        """Signs that what was loaded are no trained weights, one sentence each."""
        zero = [x.path for x in self.loaded if x.source_norm == 0 and x.initial_norm]
        same = [row.path for row in self.loaded if row.unchanged and not row.constant]
        found = []
        if self.rows and self.coverage < LEAST_COVERAGE:
            parts = ", ".join(self.random_parts) or "in all parts"
            found.append(
                f"Only {self.coverage:.1%} of the parameters are loaded; the others are random: "
                f"{parts}."
            )
        if zero:
            found.append(
                f"{len(zero)} loaded arrays are zero in the source and random in a new model: "
                f"{listed(zero)}. The file may hold zeros in place of weights."
            )
        if same:
            found.append(
                f"{len(same)} loaded arrays equal the random initialisation of this run: "
                f"{listed(same)}. The source may never have been trained."
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Coverage, the row of every parameter, and the warnings."""
        names = [field.name for field in dataclasses.fields(Origin)]
        return {
            "coverage": self.coverage,
            "loaded_parameters": _size(self.loaded),
            "num_parameters": _size(self.rows),
            "chosen": self.chosen,
            "warnings": self.warnings,
            "parameters": [{name: getattr(row, name) for name in names} for row in self.rows],
            "unused": list(self.unused),
        }

    def __str__(self) -> str:
        layers: dict[tuple[str, ...], list[Origin]] = {}
        for row in self.rows:
            layers.setdefault(_line(row), []).append(row)
        rows = [
            (*line, _norms(rows), str(len(rows)) if len(rows) > 1 else "")
            for line, rows in layers.items()
        ]
        columns = ("parameter", "from", "transform", "shape", "norm", "layers")
        table = [text_table(columns, rows), *filter(None, [self.chosen]), self.summary]
        return "\n".join(table + [f"not used: {path}" for path in self.unused])


def any_layer(text: str) -> str:
    """A path, or words that name one, with the number of the layer replaced by a star."""
    return re.sub(r"block_\d+", "block_*", text)


def listed(paths: Sequence[str], most: int = 5) -> str:
    """Some of the paths, equal layers once."""
    different = list(dict.fromkeys(map(any_layer, paths)))
    return ", ".join(different[:most]) + (", ..." if len(different) > most else "")


def _size(rows: Iterable[Origin]) -> int:
    return sum(math.prod(row.shape) for row in rows)


def _line(row: Origin) -> tuple[str, str, str, str]:
    shape = str(list(row.shape))
    if row.source_shape is not None and row.source_shape != row.shape:
        shape = f"{list(row.source_shape)} -> {shape}"
    source = "(random)" if row.source is None else any_layer(row.source)
    return any_layer(row.path), source, row.transform, shape


def _norms(rows: Sequence[Origin]) -> str:
    """The norms of the source's arrays, if others, and those of the parameters: "9.1 -> 12.2"."""
    after = _range(row.norm for row in rows)
    if all(row.source_norm is None or row.source_norm == row.norm for row in rows):
        return after
    return f"{_range(row.source_norm for row in rows)} -> {after}"


def _range(numbers: Iterable[float | None]) -> str:
    known = [number for number in numbers if number is not None]
    if not known:
        return ""
    ends = dict.fromkeys((format_value(min(known)), format_value(max(known))))
    return " to ".join(ends)
