"""The weights of a run of this package, checked against the fingerprints that it saved."""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from etils import epath

from scenic_video.weights.containers.bounds import check_total, checked_shape
from scenic_video.weights.containers.dtypes import dtype_named
from scenic_video.weights.containers.orbax import size_of
from scenic_video.weights.containers.selection import flatten, flax_weights
from scenic_video.weights.containers.weight_file import StoredArray, WeightFile, explained

NAME = "a run of scenic_video"
HEADER = "header"
"""The part of a step that only these checkpoints have."""


def is_run(folder: Path) -> bool:
    return _steps(folder) is not None


def _steps(folder: Path) -> tuple[Path, int | None] | None:
    """The folder of steps, and the step if that is what was named."""
    if (folder / HEADER).is_dir() and (folder / "state").is_dir() and folder.name.isdigit():
        return folder.parent, int(folder.name)
    for steps in (folder, folder / "checkpoints"):
        if steps.is_dir() and any((step / HEADER).is_dir() for step in steps.iterdir()):
            return steps, None
    return None


def read(folder: Path, location: str, *, averaged: bool = True) -> WeightFile:
    """The best step if the run kept it, else the newest; with `averaged`, averaged parameters if
    there are any. A note says which."""
    from scenic_video.checkpoints import restore_params  # imports JAX, as does the next
    from scenic_video.checkpoints.storage import CorruptedCheckpoint, read_header, steps_in

    found = _steps(folder)
    assert found is not None
    steps, step = found
    with explained(location, NAME):
        for number in steps_in(epath.Path(steps)) if step is None else [step]:
            with contextlib.suppress(CorruptedCheckpoint):  # restored from another step
                leaves = read_header(epath.Path(steps), number)["leaves"]
                _check_total(leaves, steps / str(number))
        variables, meta = restore_params(steps, step=step, averaged=averaged)
        saved = read_header(epath.Path(steps), meta["step"])["leaves"]
        arrays = {name: _stored(array) for name, array in flatten(variables, "/").items()}
        selection = flax_weights(arrays)
    notes = (*selection.notes, _which(saved, meta["step"], averaged=averaged))
    return WeightFile(location, NAME, selection.arrays, {"run": meta}, notes)


def _which(saved: Iterable[str], step: int, *, averaged: bool) -> str:
    """A sentence on the parameters that were taken."""
    if not any(path.startswith("ema_params/") for path in saved):
        return f"The parameters of step {step} were taken; the run keeps no average of them."
    kind = "averaged (EMA) parameters" if averaged else "parameters, not their average,"
    return f"The {kind} of step {step} were taken."


def _check_total(leaves: Mapping[str, Any], folder: Path) -> None:
    """A step's header must not claim more than its files can hold: all of it is restored."""
    stored = {
        path: StoredArray(checked_shape(path, shape), dtype_named(dtype), _unread)
        for path, (shape, dtype, _) in leaves.items()
    }
    check_total(stored, size_of(folder))


def _unread() -> np.ndarray:
    raise AssertionError("only its size is wanted")


def _stored(array: object) -> StoredArray:
    value = np.asarray(array)
    return StoredArray(value.shape, value.dtype, lambda: value)
