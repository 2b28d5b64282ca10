"""Reads the registry of public checkpoints: a file per publisher, in this folder.

Such a file has the `publisher`, its places `at` (the first is the address, the others are mirrors),
what is `shared` by its checkpoints, and a table for each, whose `file` completes the places.
`pixels` are the mean and std of all its models of frames. Facts that are not stated anywhere are
left out, and are then "not known".
"""

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from scenic_video.config import near
from scenic_video.errors import UserError
from scenic_video.modalities.names import DEFAULT
from scenic_video.weights.registry.public_checkpoint import PublicCheckpoint, Reference

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
"""Names have neither a slash nor a suffix, as paths of files do."""
UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@functools.cache
def checkpoints() -> Mapping[str, PublicCheckpoint]:
    """All public checkpoints by name."""
    found: dict[str, PublicCheckpoint] = {}
    folder = files("scenic_video.weights.registry")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".toml"):
            continue
        for checkpoint in _in_file(tomllib.loads(file.read_text(encoding="utf-8"))):
            assert NAME.fullmatch(checkpoint.name) and checkpoint.name not in found, checkpoint
            found[checkpoint.name] = checkpoint
    return MappingProxyType(found)


def find(name: str) -> PublicCheckpoint:
    """The public checkpoint of this name. Errors: UserError with the nearest names."""
    known = checkpoints()
    if name not in known:
        raise UserError(
            f"There is no file or public checkpoint {name!r}{near(name, known, most=3)} "
            "`scenic-video weights list` shows all."
        )
    return known[name]


def at(location: str) -> PublicCheckpoint | None:
    """The public checkpoint at a location: its name, its address or a mirror, or the repository of
    the Hub that has no other; None if there is none."""
    known = checkpoints()
    if location in known:
        return known[location]
    found = [
        x
        for x in known.values()
        if any(location in (place, repository_of(place)) for place in (x.address, *x.mirrors))
    ]
    return found[0] if len(found) == 1 else None


def repository_of(address: str) -> str:
    """ "hf:org/name" of an address on the Hub, without revision and file; else the address."""
    match = re.match(r"hf:[^:@]+", address)
    return match[0] if match else address


def _in_file(content: Mapping[str, Any]) -> Iterator[PublicCheckpoint]:
    places, shared = content["at"], content.get("shared", {})
    for name, own in content["checkpoints"].items():
        fields = {**shared, **own}
        fields["model_fields"] = _tuples({**shared.get("model", {}), **own.get("model", {})})
        fields["preprocessing"] = _tuples(_preprocessing(fields.get("preprocessing"), content))
        if "reference" in fields:
            fields["reference"] = Reference(**_tuples(fields["reference"]))
        fields |= _bytes(fields)
        address, *mirrors = [place + fields["file"] for place in places]
        mirrors += fields.get("mirrors", ())
        for key in ("file", "size", "model", "mirrors"):
            fields.pop(key, None)
        yield PublicCheckpoint(
            name=name,
            publisher=content["publisher"],
            address=address,
            mirrors=tuple(mirrors),
            **fields,
        )


def _preprocessing(
    stated: Mapping[str, Any] | None, content: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """The fields of a checkpoint with the `pixels` of its file, if it reads frames."""
    pixels, name = content.get("pixels"), DEFAULT[0]
    if stated is None or pixels is None or name not in stated.get("modalities", DEFAULT):
        return stated
    return {name: pixels, **stated}


def _bytes(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The number of bytes of a size: 1234, or rounded, as "1.2 GB"."""
    said = fields.get("size")
    if not isinstance(said, str):
        return {"num_bytes": said}
    number, unit = said.split()
    return {"num_bytes": round(float(number) * UNITS[unit]), "is_rounded": True}


def _tuples(value: Any) -> Any:
    """Arrays as tuples, as in Python's configs."""
    if isinstance(value, Mapping):
        return {name: _tuples(x) for name, x in value.items()}
    return tuple(value) if isinstance(value, list) else value
