"""Reads weights from wherever they are."""

import dataclasses
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from scenic_video.weights.containers.folders import read_local
from scenic_video.weights.containers.selection import image_tower, part
from scenic_video.weights.containers.weight_file import WeightFile, explained
from scenic_video.weights.locations.cache import Progress
from scenic_video.weights.locations.public import is_public, local_path


def read(
    location: str | Path, *, progress: Progress | None = None, averaged: bool = True
) -> WeightFile:
    """The weights at `location`, whose format is recognised by its content.

    It is a file or folder, an address (gs://, s3://, https:// and others that fsspec knows),
    hf:org/name[@revision][:file] on the Hugging Face Hub, or the name of a public checkpoint that
    was pulled, see `locations.public`. "FILE:img" is a part of a file, such as one tower. What is
    remote is copied to a cache first, where `progress` is called with the bytes that have arrived
    and all bytes. Values are read when they are used. Of a run, averaged parameters are taken if
    there are any, unless `averaged` is False. Errors: UserError.
    """
    address, name = split(str(location))
    file = read_local(fetch(address, progress), address, averaged=averaged)
    if not name:
        arrays, notes = image_tower(file.shapes)
        return dataclasses.replace(file, shapes=arrays, notes=(*file.notes, *notes))
    with explained(address, file.container):
        return dataclasses.replace(file, shapes=part(file.shapes, name))


def fetch(location: str, progress: Progress | None = None) -> Path:
    """The local path of a file or folder, which is copied if it is remote. Errors: UserError."""
    if location.startswith("hf:"):
        from scenic_video.weights.locations import hub

        return hub.fetch(location, progress)
    if location.startswith(("http://", "https://")):
        from scenic_video.weights.locations import web

        return web.download(location, progress)
    if location.startswith("file://"):
        return Path(url2pathname(urlparse(location).path))
    if "://" in location:
        from scenic_video.weights.locations import buckets

        return buckets.copy(location, progress)
    if is_public(location):
        return local_path(location)
    return Path(location).expanduser()


def split(location: str) -> tuple[str, str]:
    """The address of a file, and the part of it that is meant, if any."""
    address, colon, name = location.rpartition(":")
    is_part = bool(colon) and bool(address) and "/" not in name
    if location.startswith("hf:"):
        is_part = is_part and ":" in address.removeprefix("hf:")
    elif "://" in location:
        is_part = is_part and "/" in address.split("://", 1)[-1]
    else:
        is_part = is_part and not Path(location).exists()
    return (address, name) if is_part else (location, "")
