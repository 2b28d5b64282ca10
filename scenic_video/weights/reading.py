"""Reads the weights of a public checkpoint or a run by the parameter names here."""

import dataclasses
from pathlib import Path
from typing import Any

from flax.traverse_util import unflatten_dict

from scenic_video.weights import trained_runs
from scenic_video.weights.containers.weight_file import WeightFile
from scenic_video.weights.families.family import Weights, installed_families, recognise
from scenic_video.weights.locations.cache import Progress
from scenic_video.weights.locations.reading import read
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.registered import completed
from scenic_video.weights.registry.registry import checkpoints


def read_weights(
    location: str | Path, *, trust: bool = False, progress: Progress | None = None
) -> Weights:
    """The weights at `location`, a file, folder, address or name as `locations.reading.read` takes
    it.

    The family follows from the names and shapes of the arrays. Errors: UserError if the file
    cannot be read, or is of no known family. See `weights_of` for `trust`.
    """
    return weights_of(read(location, progress=progress), trust=trust)


def weights_of(file: WeightFile, *, trust: bool = False) -> Weights:
    """The weights of a file that is open already; those of a public checkpoint with what the
    registry knows about them. `trust` lets a run name code of third parties."""
    if trained_runs.is_described(file):
        weights = trained_runs.read_run(file, trust=trust)
    else:
        weights = recognise(file.shapes, installed_families()).read(file.leaves, file.metadata)
    weights = dataclasses.replace(weights, notes=(*file.notes, *weights.notes))
    public = checkpoints().get(file.location)
    return weights if public is None else completed(weights, public)


def to_model_weights(weights: Weights, *, name: str) -> ModelWeights:
    """The weights as a source to initialise a model from.

    Arrays that no rule of the family covers keep their foreign names, so that `initialize` refuses
    them unless they are declared.
    """
    params: dict[str, Any] = {**weights.params, **weights.rest}
    return ModelWeights(unflatten_dict(params, sep="/"), weights.inputs, weights.grid, name=name)
