"""Reads a folder of weights: of Orbax, of a run, of Hugging Face, or with a single file in it."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenic_video.weights.containers import orbax, own_runs
from scenic_video.weights.containers.bounds import (
    LARGEST_TEXT,
    add_new,
    check_total,
    without_duplicates,
)
from scenic_video.weights.containers.recognition import is_weights, read_file
from scenic_video.weights.containers.selection import flax_weights
from scenic_video.weights.containers.weight_file import (
    Malformed,
    StoredArray,
    WeightFile,
    explained,
)

INDEX = ".index.json"
"""The end of the name of a file that lists the parts of a model."""
PREFERRED = (
    f"model.safetensors{INDEX}",
    "model.safetensors",
    f"pytorch_model.bin{INDEX}",
    "pytorch_model.bin",
    "flax_model.msgpack",
    "checkpoint",
)
"""Files of equal weights in folders of Hugging Face, the first of which is read."""
CONFIGS = ("config", "preprocessor_config")
"""JSON files of Hugging Face beside weights."""


def read_local(path: Path, location: str, *, averaged: bool = True) -> WeightFile:
    """The weights of a file or folder, with the configs of Hugging Face beside them; of a run the
    `averaged` ones, if there are any."""
    with explained(location):
        if not path.exists():
            raise Malformed("there is no such file or folder")
        if path.is_dir() and own_runs.is_run(path):
            return own_runs.read(path, location, averaged=averaged)
        tree = orbax.tree_folder(path) if path.is_dir() else None
        file = path if not path.is_dir() or tree else _file_in(path)
    if tree:
        return _orbax(tree, location)
    found = _sharded(file, location) if _is_index(file) else read_file(file, location)
    with explained(location):
        metadata = {**found.metadata, **_configs(file.parent)}
    return dataclasses.replace(found, metadata=metadata)


def _orbax(folder: Path, location: str) -> WeightFile:
    with explained(location, orbax.NAME):
        selection = flax_weights(orbax.read(folder))
        check_total(selection.arrays, orbax.size_of(folder))
        if not selection.arrays:
            raise Malformed("it has no arrays")
    return WeightFile(location, orbax.NAME, selection.arrays, {}, selection.notes)


def _file_in(folder: Path) -> Path:
    """The one file of weights in a folder, or the one that Hugging Face would read."""
    for name in PREFERRED:
        if (folder / name).is_file():
            return folder / name
    files = sorted(file for file in folder.iterdir() if file.is_file())
    indices = [file for file in files if file.name.endswith(INDEX)]
    found = indices or [file for file in files if is_weights(file)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(file.name for file in found[:8])
        raise Malformed(f"it holds {len(found)} files of weights ({names}); name one of them")
    names = ", ".join(child.name for child in sorted(folder.iterdir())[:5]) or "nothing"
    raise Malformed(f"it holds no weights, but {names}")


def _is_index(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1).strip() == b"{" and path.stat().st_size < LARGEST_TEXT


def _sharded(index: Path, location: str) -> WeightFile:
    """The arrays of several files, which an index assigns to them."""
    with explained(location, "an index of files"):
        owners = _json(index).get("weight_map")
        if not isinstance(owners, dict) or not owners:
            raise Malformed("it is JSON without a weight_map")
        names = sorted(set(owners.values()))
        for name in names:
            if not isinstance(name, str) or Path(name).name != name:
                raise Malformed(f"it names {str(name)[:80]!r}, which is not a file beside it")
            if not (index.parent / name).is_file():
                raise Malformed(f"{name}, one of its {len(names)} parts, is missing")
    parts = {name: read_file(index.parent / name, f"{location} ({name})") for name in names}
    with explained(location, "an index of files"):
        arrays = _joined(owners, parts)
    first = parts[names[0]]
    notes = tuple(dict.fromkeys(note for file in parts.values() for note in file.notes))
    container = f"{first.container}, in {len(names)} parts"
    return WeightFile(location, container, arrays, first.metadata, notes)


def _joined(owners: Mapping[str, str], parts: Mapping[str, WeightFile]) -> dict[str, StoredArray]:
    arrays: dict[str, StoredArray] = {}
    for part in parts.values():
        for name, array in part.shapes.items():
            add_new(arrays, name, array)
    lacking = [name for name in owners if name not in parts[owners[name]].shapes]
    if lacking:
        raise Malformed(f"{lacking[0]!r} is not in {owners[lacking[0]]}, where it should be")
    extra = [name for name in arrays if name not in owners]
    if extra:
        raise Malformed(f"its parts hold {extra[0]!r}, which it does not list")
    return arrays


def _configs(folder: Path) -> dict[str, Any]:
    """config.json and preprocessor_config.json, if they are those of Hugging Face or timm."""
    found = {}
    for name in CONFIGS:
        path = folder / f"{name}.json"
        if path.is_file() and path.stat().st_size < LARGEST_TEXT:
            found[name] = _json(path)
    config = found.get("config", {})
    return found if config.keys() & {"model_type", "architectures", "architecture"} else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes(), object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{path.name} is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise Malformed(f"{path.name} holds a {type(value).__name__}, not an object")
    return value
