"""Reads the weights of a public checkpoint or a run by the parameter names here."""

import dataclasses
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import unflatten_dict

from scenic_video.errors import UserError
from scenic_video.weights import trained_runs
from scenic_video.weights.containers.weight_file import WeightFile
from scenic_video.weights.families.family import Weights, installed_families, recognise
from scenic_video.weights.families.names import Leaves
from scenic_video.weights.locations.cache import Progress
from scenic_video.weights.locations.reading import read
from scenic_video.weights.model_weights import ModelWeights
from scenic_video.weights.registered import completed
from scenic_video.weights.registry.registry import at


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
        weights = _of_family(file)
        _require_numbers(weights.params, file)
    weights = dataclasses.replace(weights, notes=(*file.notes, *weights.notes))
    public = at(file.location)
    return weights if public is None else completed(weights, public)


def _of_family(file: WeightFile) -> Weights:
    """Errors: UserError too where arrays are missing or have other axes than those of the family,
    which is recognised by a few of them."""
    family = recognise(file.shapes, installed_families())
    try:
        return family.read(file.leaves, file.metadata)
    except UserError:
        raise
    except (KeyError, IndexError, TypeError, ValueError) as error:
        lacks = isinstance(error, KeyError)
        reason = f"there is no {error.args[0]}" if lacks else f"an array has other axes ({error})"
        raise UserError(
            f"{file.location} has names of {family.name}, but {reason}, so it is not whole."
        ) from error


def _require_numbers(params: Leaves, file: WeightFile) -> None:
    """Errors: UserError for parameters that are not finite floating-point numbers, with their names
    in the file; integers are those of quantised weights, which need scales that no model here has.
    """
    if all(_strange(array) is None for array in params.values()):
        return
    strange = {name: words for name, x in file.leaves.items() if (words := _strange(x))}
    name, words = next((x for x in strange.items() if "finite" in x[1]), [*strange.items()][0])
    raise UserError(f"{file.location} cannot be used: {name} {words}.")


def _strange(array: np.ndarray) -> str | None:
    """Why an array cannot be a parameter; None if it can."""
    if not jnp.issubdtype(array.dtype, np.floating):
        return f"holds {array.dtype}, not the floating-point numbers of weights"
    return None if np.isfinite(array).all() else "has values that are not finite (NaN or infinite)"


def to_model_weights(weights: Weights, *, name: str) -> ModelWeights:
    """The weights as a source to initialise a model from.

    Arrays that no rule of the family covers keep their foreign names, so that `initialize` refuses
    them unless they are declared.
    """
    params: dict[str, Any] = {**weights.params, **weights.rest}
    return ModelWeights(unflatten_dict(params, sep="/"), weights.inputs, weights.grid, name=name)
