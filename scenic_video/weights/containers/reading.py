"""Reads weights from wherever they are."""

import dataclasses
from pathlib import Path

from scenic_video.weights.containers.recognition import read_file
from scenic_video.weights.containers.selection import part
from scenic_video.weights.containers.weight_file import WeightFile, explained


def read(location: str | Path) -> WeightFile:
    """The weights at `location`, a file whose format is recognised by its content.

    "FILE:img" is a part of a file, such as one tower. Values are read when they are used. Errors:
    UserError, in one sentence.
    """
    path, name = _split(str(location))
    file = read_file(Path(path), path)
    if not name:
        return file
    with explained(path, file.container):
        return dataclasses.replace(file, shapes=part(file.shapes, name))


def _split(location: str) -> tuple[str, str]:
    """The path of a file, and the part of it that is meant."""
    path, colon, name = location.rpartition(":")
    if not colon or "/" in name or not path or Path(location).exists():
        return location, ""
    return path, name
