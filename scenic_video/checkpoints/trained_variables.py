"""Reads the variables of a trained model, without the state of its optimizer."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from etils import epath
from jax.sharding import Sharding, SingleDeviceSharding

from scenic_video.checkpoints import storage
from scenic_video.checkpoints.header import meta_of
from scenic_video.checkpoints.storage import PathLike


def restore_params(
    directory: PathLike,
    *,
    step: int | None = None,
    averaged: bool = True,
    sharding: Sharding | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The variables of a trained model, {"params": ..., other collections}, and its meta.

    Reads no optimizer state and changes nothing on disk. With `averaged`, averaged parameters are
    used where there are any. Without a step, it is the best step if the run kept it, else the
    newest; damaged ones are skipped with a warning. Arrays get `sharding`; by default they are on
    the first device of this process.
    """
    folder = epath.Path(directory).resolve()
    steps = storage.steps_in(folder)[::-1] if step is None else [step]
    if not steps:
        raise FileNotFoundError(f"There is no checkpoint in {folder}.")
    best = storage.best_step(folder) if step is None else None
    if best is not None:
        steps = [best, *(other for other in steps if other != best)]
    place = sharding or SingleDeviceSharding(jax.local_devices()[0])

    def load(step: int) -> tuple[dict[str, jax.Array], dict[str, Any]]:
        content = storage.read_header(folder, step)
        names = _variable_names(content["leaves"], averaged)
        wanted = {
            path: jax.ShapeDtypeStruct(shape, jnp.dtype(dtype), sharding=place)
            for path, (shape, dtype, _) in content["leaves"].items()
            if path in names
        }
        arrays = storage.read_arrays(folder, content, wanted)
        return {names[path]: leaf for path, leaf in arrays.items()}, meta_of(content)

    (variables, meta), _ = storage.first_good(steps, load)
    return storage.nest(variables), meta


def _variable_names(paths: Mapping[str, Any], averaged: bool) -> dict[str, str]:
    """Path in a train state -> path in the model's variables, for those that a model needs.

    Frozen parameters have no average.
    """
    names = {
        path: path.removeprefix("model_state/")
        for path in paths
        if path.startswith(("params/", "model_state/"))
    }
    if averaged:
        for path in paths:
            if path.startswith("ema_params/"):
                name = "params/" + path.removeprefix("ema_params/")
                del names[name]
                names[path] = name
    return names
