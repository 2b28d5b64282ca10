"""What a checkpoint is: its container, family, model, classes and arrays."""

import collections
import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenic_video.errors import UserError
from scenic_video.weights.built_model import num_classes
from scenic_video.weights.containers.weight_file import WeightFile
from scenic_video.weights.families.family import Weights
from scenic_video.weights.locations.cache import Progress
from scenic_video.weights.locations.reading import read
from scenic_video.weights.model_weights import token_grid
from scenic_video.weights.reading import weights_of

PATCHES = re.compile(r"embedding[^/]*/kernel")
LAYER = re.compile(r"(?<=block_)\d+|(?<=[./])\d+(?=[./])|^\d+(?=[./])")
"""The number of a layer in the name of an array; other numbers tell arrays of a layer apart."""
NAMED = 5
"""How many classes or names are shown."""


@dataclasses.dataclass(frozen=True)
class Inspection:
    """A file of weights, and what was recognised in it; `refusal` says why nothing was."""

    file: WeightFile
    weights: Weights | None
    refusal: str = ""

    @property
    def num_parameters(self) -> int:
        return sum(array.size for array in self.file.shapes.values())

    @property
    def num_bytes(self) -> int:
        return sum(array.nbytes for array in self.file.shapes.values())

    @property
    def dtypes(self) -> list[str]:
        return sorted({str(array.dtype) for array in self.file.shapes.values()})

    def facts(self) -> dict[str, Any]:
        """What is known by name, as JSON has it; fields that the checkpoint does not state are
        None."""
        weights = self.weights
        stated = {} if weights is None else self._model_facts(weights)
        return {
            "container": self.file.container,
            "family": weights and weights.family,
            **stated,
            "parameters": self.num_parameters,
            "bytes": self.num_bytes,
            "dtypes": self.dtypes,
        }

    def _model_facts(self, weights: Weights) -> dict[str, Any]:
        kernels = {path: x.shape for path, x in weights.params.items() if PATCHES.fullmatch(path)}
        sizes = {name: list(size) for name, size in weights.inputs.items()}
        kernel = weights.params.get("embedding/kernel")
        grid = token_grid(kernel, next(iter(sizes.values()), None))
        return {
            "model": weights.model and dict(weights.model),
            "patches": {path: list(shape[:-2]) for path, shape in kernels.items()},
            "inputs": sizes,
            "grid": grid and list(grid),
            "num_classes": num_classes(weights),
            "classes": weights.labels and {h: list(names) for h, names in weights.labels.items()},
            "preprocessing": weights.preprocessing,
            "notes": [*weights.notes] or [*self.file.notes],
            "unread": [*weights.rest],
            "carries nothing": [*weights.dropped],
        }

    def rows(self) -> list[tuple[str, str]]:
        """`facts` in words, without those that are unknown."""
        facts = self.facts()
        model = facts.pop("model", None) or {}
        fields = {f"model.{name}" if name != "target" else "model": x for name, x in model.items()}
        shown: dict[str, Any] = {}
        for name, value in facts.items():
            shown |= {name: value} | (fields if name == "family" else {})
        shown["bytes"] = f"{self.num_bytes:,} in {', '.join(self.dtypes)}"
        shown["parameters"] = f"{self.num_parameters:,} in {len(self.file.shapes)} arrays"
        del shown["dtypes"]
        shown["classes"] = _classes(facts.get("classes"))
        for name in ("unread", "carries nothing"):
            shown[name] = _names(facts.get(name) or ())
        notes = shown.pop("notes", self.file.notes)
        rows = [(name, _words(x)) for name, x in shown.items() if x not in (None, "", {}, [])]
        return rows + [("note", note) for note in notes]

    def tree(self) -> list[tuple[str, str, str, str]]:
        """(name in the file, shape, dtype, number of layers), layers of equal shape in a line."""
        lines = collections.Counter(
            (LAYER.sub("*", name), str(list(array.shape)), str(array.dtype))
            for name, array in self.file.shapes.items()
        )
        return [(*line, str(count) if count > 1 else "") for line, count in lines.items()]

    def to_json(self) -> dict[str, Any]:
        arrays = {
            name: {"shape": list(array.shape), "dtype": str(array.dtype)}
            for name, array in self.file.shapes.items()
        }
        about = {"location": self.file.location, **self.facts()}
        return about | {"refusal": self.refusal or None, "arrays": arrays}


def inspect(location: str | Path, *, trust: bool = False, progress: Progress | None = None):
    """What the checkpoint at `location` is, an `Inspection`.

    A family that is unknown or unsupported is stated as the `refusal`. Errors: UserError for what
    is no file of weights.
    """
    file = read(location, progress=progress)
    try:
        return Inspection(file, weights_of(file, trust=trust))
    except UserError as error:
        return Inspection(file, None, str(error))


def _classes(labels: Mapping[str, Sequence[str]] | None) -> str:
    return "; ".join(f"{len(x)} of {head}: {_names(x)}" for head, x in (labels or {}).items())


def _names(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(x)}" for name, x in value.items())
    if isinstance(value, list | tuple) and all(isinstance(x, int) for x in value):
        return " x ".join(map(str, value))
    return ", ".join(map(_words, value)) if isinstance(value, list | tuple) else str(value)
