"""Reads the registry of public checkpoints: a file per publisher, in this folder.

Such a file has the `publisher`, its places `at` (the first is the address, the others are mirrors),
what is `shared` by its checkpoints, and a table for each, whose `file` completes the places. Facts
that are not stated anywhere are left out, and are then "not known".
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


def _in_file(content: Mapping[str, Any]) -> Iterator[PublicCheckpoint]:
    places, shared = content["at"], content.get("shared", {})
    for name, own in content["checkpoints"].items():
        fields = {**shared, **own}
        fields["model_fields"] = _tuples({**shared.get("model", {}), **own.get("model", {})})
        fields["preprocessing"] = _tuples(fields.get("preprocessing"))
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
