"""Converts a checkpoint to another format, and checks what was written array by array."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scenic_video.config import near
from scenic_video.errors import UserError
from scenic_video.weights.families.family import Weights, installed_families
from scenic_video.weights.families.names import Leaves
from scenic_video.weights.locations.cache import Progress
from scenic_video.weights.locations.reading import read
from scenic_video.weights.reading import weights_of
from scenic_video.weights.writing.formats import FORMATS, Named, named_for
from scenic_video.weights.writing.output import check_free, new_output

Checked = Callable[[int, int], None]
"""Called with the number of arrays that were checked, and of all."""


@dataclasses.dataclass(frozen=True)
class Converted:
    """What was written: the family of its names, and sentences on what it holds."""

    path: Path
    family: str
    num_arrays: int
    num_bytes: int
    notes: tuple[str, ...]


def read_whole(
    location: str | Path,
    *,
    averaged: bool = True,
    trust: bool = False,
    progress: Progress | None = None,
) -> Weights:
    """The weights at `location`, a checkpoint or a run, to be written.

    Of a run it takes the averaged parameters if there are any, unless `averaged` is False. Errors:
    UserError if it has arrays that its family does not cover, which would be lost.
    """
    weights = weights_of(read(location, progress=progress, averaged=averaged), trust=trust)
    if weights.rest:
        names = ", ".join([*weights.rest][:3])
        raise UserError(
            f"{location} has {len(weights.rest)} arrays that {weights.family} does not cover "
            f"({names}), so it cannot be converted as a whole."
        )
    return weights


def write(
    weights: Weights,
    out: Path,
    format: str,
    *,
    overwrite: bool = False,
    checking: Checked = lambda done, total: None,
) -> Converted:
    """Writes `weights` to `out` in one of `FORMATS`.

    Arrays keep their values and dtypes bit for bit, which is checked on what was written, before it
    appears at `out`. Errors: UserError if there is something at `out`, unless `overwrite` is set,
    or for a model that the format cannot hold.
    """
    if format not in FORMATS:
        raise UserError(
            f"There is no format {format!r}; there are {', '.join(FORMATS)}{near(format, FORMATS)}"
        )
    check_free(out, overwrite=overwrite)
    named = named_for(FORMATS[format], weights, installed_families())
    with new_output(out, overwrite=overwrite) as scratch:
        notes = FORMATS[format].write(scratch, weights, named)
        _check_written(scratch, named.params, checking)
    return Converted(
        path=out,
        family=named.family.name,
        num_arrays=len(named.leaves),
        num_bytes=sum(x.nbytes for x in named.leaves.values()),
        notes=(*weights.notes, *named.notes, *_lost(weights, named), *notes),
    )


def _check_written(path: Path, params: Leaves, checking: Checked) -> None:
    """What is at `path` is read as exactly these parameters, bit for bit."""
    written = weights_of(read(path)).params
    assert written.keys() == params.keys(), sorted(written.keys() ^ params.keys())[:5]
    for done, (name, array) in enumerate(params.items(), start=1):
        found = written[name]
        same = found.dtype == array.dtype and found.shape == array.shape
        assert same and found.tobytes() == array.tobytes(), name
        checking(done, len(params))


def _lost(weights: Weights, named: Named) -> list[str]:
    """What the format does not state, in sentences."""
    notes = [
        f"The file does not state {field} of the model; who reads it must know."
        for field in named.unstated
    ]
    if weights.dropped:
        notes.append(f"{len(weights.dropped)} arrays that carry nothing were left out.")
    kept: dict[str, Any] = dict(named.metadata)
    if weights.labels and not kept:
        notes.append("The file does not hold the names of the classes.")
    return notes
