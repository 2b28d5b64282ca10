"""Adds to the weights of a public checkpoint what the registry knows about them."""

import dataclasses
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.errors import UserError
from scenic_video.weights.families.family import Weights
from scenic_video.weights.registry.public_checkpoint import PublicCheckpoint
from scenic_video.weights.stated_fields import differences


def completed(weights: Weights, checkpoint: PublicCheckpoint) -> Weights:
    """`weights`, of the file of this checkpoint, with its preprocessing, inputs and labels as far
    as the file does not state them; where both do, the file counts, and a note says so.

    Errors: UserError if the file is of a model of other sizes.
    """
    _check_model(weights, checkpoint)
    stated, known = weights.preprocessing or {}, checkpoint.preprocessing or {}
    preprocessing = {**known, **stated}
    notes = [
        f"its file states preprocessing.{field} = {old!r}, the registry {new!r}"
        for field, old, new in differences(stated, known)
    ]
    return dataclasses.replace(
        weights,
        preprocessing=preprocessing or None,
        inputs=weights.inputs or _inputs(preprocessing),
        labels=weights.labels or _labels(checkpoint),
        notes=(*weights.notes, *notes),
        published=_published(checkpoint),
    )


def _published(checkpoint: PublicCheckpoint) -> dict[str, str]:
    """What a model card says of it."""
    stated = {
        "name": checkpoint.name,
        "address": checkpoint.web_address,
        "licence": checkpoint.licence,
        "results": checkpoint.results,
        "paper": checkpoint.paper,
    }
    return {field: words for field, words in stated.items() if words}


def _check_model(weights: Weights, checkpoint: PublicCheckpoint) -> None:
    known = {name: x for name, x in checkpoint.model.items() if not isinstance(x, str)}
    others = [
        f"{field} {found!r} instead of {value!r}"
        for field, found, value in differences(weights.model or {}, known)
    ]
    if others:
        raise UserError(
            f"The file of {checkpoint.name} is another model: {', '.join(others)}. Fetch it again "
            f"by `scenic-video weights pull {checkpoint.name}`, or name the file by its path."
        )


def _inputs(preprocessing: Mapping[str, Any]) -> Mapping[str, tuple[int, ...]]:
    """The sizes of the model's inputs, by modality; none if their number of frames is unknown."""
    if "num_frames" not in preprocessing:
        return {}
    return Preprocessing.from_dict(preprocessing).input_sizes


def _labels(checkpoint: PublicCheckpoint) -> dict[str, tuple[str, ...]] | None:
    if checkpoint.labels is None:
        return None
    text = (files("scenic_video.weights.registry") / checkpoint.labels).read_text(encoding="utf-8")
    return {"label": tuple(text.splitlines())}
