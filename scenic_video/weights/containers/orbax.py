"""Folders that Orbax wrote: trees of arrays that TensorStore reads one by one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore

from scenic_video.weights.containers.bounds import LARGEST_TEXT, add_new, checked_shape
from scenic_video.weights.containers.dtypes import dtype_named
from scenic_video.weights.containers.selection import nest
from scenic_video.weights.containers.weight_file import Malformed, StoredArray

NAME = "a checkpoint of Orbax"
TREE = "_METADATA"
"""The file that describes a tree."""
ITEMS = ("params", "state", "default", "pytree", "train_state", "model", "items")
"""Names of the tree with the weights, in a folder of several items, in order of preference."""


def tree_folder(folder: Path) -> Path | None:
    """The folder of the tree with the weights: this one, an item of it, or of its newest step."""
    if (folder / TREE).is_file():
        return folder
    items = [child for child in sorted(folder.iterdir()) if (child / TREE).is_file()]
    for name in ITEMS:
        if folder / name in items:
            return folder / name
    if len(items) == 1:
        return items[0]
    if items:
        names = ", ".join(item.name for item in items)
        raise Malformed(f"it holds several trees ({names}); name the folder of one")
    steps = [(step, child) for child in folder.iterdir() if (step := _step(child)) is not None]
    return tree_folder(max(steps)[1]) if steps else None


def _step(folder: Path) -> int | None:
    """7 for "7", "ckpt_7" or "checkpoint_7"."""
    number = folder.name.rpartition("_")[2]
    return int(number) if number.isascii() and number.isdigit() and folder.is_dir() else None


def read(folder: Path) -> dict[str, StoredArray]:
    """The arrays of a tree by "a/b"."""
    path = folder / TREE
    if path.stat().st_size > LARGEST_TEXT:
        raise Malformed(f"its {TREE} has {path.stat().st_size:,} bytes")
    stated = json.loads(path.read_bytes())
    arrays: dict[str, StoredArray] = {}
    for entry in stated["tree_metadata"].values():
        names = [str(key["key"]) for key in entry["key_metadata"]]
        if not entry["value_metadata"].get("skip_deserialize"):
            add_new(arrays, "/".join(names), _array(folder, names, stated))
    return arrays


def _array(folder: Path, names: list[str], stated: Mapping[str, Any]) -> StoredArray:
    name = ".".join(names)
    if stated.get("use_ocdbt", (folder / "manifest.ocdbt").exists()):
        base = f"file://{folder.resolve().as_posix()}/"
        store = {"driver": "ocdbt", "base": base, "path": f"{name}/"}
    elif set(name) & set("/\\") or name.startswith("."):
        raise Malformed(f"an array is named {name[:80]!r}, which would lead out of its folder")
    else:
        store = {"driver": "file", "path": f"{(folder / name).resolve().as_posix()}/"}
    driver = "zarr3" if stated.get("use_zarr3") else "zarr"
    opened = tensorstore.open({"driver": driver, "kvstore": store}, open=True, read=True).result()
    shape = checked_shape(name, tuple(int(size) for size in opened.shape))
    dtype = dtype_named(opened.dtype.numpy_dtype.name)
    return StoredArray(shape, dtype, lambda: np.asarray(opened.read().result()))


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def write(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """`arrays` by "a/b/kernel", as a tree below "params" in a new folder."""
    from orbax.checkpoint import v1

    v1.save(str(folder), {"params": nest(arrays)})
