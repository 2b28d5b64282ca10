"""Ways to corrupt the arrays of a checkpoint, and to write them in each container."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.weights.containers import msgpack_writer, npz, orbax, safetensors
from scenic_video.weights.containers.pytorch import zipped
from scenic_video.weights.containers.pytorch.pickle_writer import pickled_state_dict
from tests.weights.containers.conftest import Hostile, hostile_legacy, hostile_zip

Leaves = dict[str, Any]
Corrupt = Callable[[Leaves, str, np.random.Generator], str]
"""Changes one of the leaves, that of the name if it can; returns the name of the changed one."""
Write = Callable[[Path, Any], None]


def number(value: float) -> Corrupt:
    def corrupt(leaves: Leaves, name: str, rng: np.random.Generator) -> str:
        leaves[name] = leaves[name].copy()
        leaves[name].flat[rng.integers(leaves[name].size)] = value
        return name

    return corrupt


def rename(leaves: Leaves, name: str, rng: np.random.Generator) -> str:
    at = rng.integers(len(name))
    leaves[f"{name[:at]}x{name[at + 1 :]}"] = leaves.pop(name)
    return name


def remove(leaves: Leaves, name: str, rng: np.random.Generator) -> str:
    del leaves[name]
    return name


def add(leaves: Leaves, name: str, rng: np.random.Generator) -> str:
    """An array of a layer that the model lacks, or of an unknown name."""
    layer = name.replace("blocks.0", "blocks.7").replace("encoderblock_0", "encoderblock_7")
    leaves[layer if layer != name else f"{name}2"] = leaves[name]
    return name


def duplicate(leaves: Leaves, name: str, rng: np.random.Generator) -> str:
    """Under a name of the same length, which `written` replaces in the file by that of the leaf."""
    leaves[f"{name[:-1]}~"] = leaves[name] + 1
    return name


def reshape(leaves: Leaves, name: str, rng: np.random.Generator) -> str:
    array = leaves[name]
    shapes: list[tuple[int, ...]] = [(-1,), (1, *array.shape), (*array.shape, 1), (-1, 1)]
    shapes = [x for x in shapes if array.reshape(x).shape != array.shape]
    leaves[name] = array.reshape(shapes[rng.integers(len(shapes))])
    return name


def transpose(leaves: Leaves, name: str, rng: np.random.Generator) -> str:
    """One whose shape changes by it; of a square one, only the values would."""
    oblong = [x for x, array in leaves.items() if array.T.shape != array.shape]
    name = oblong[rng.integers(len(oblong))]
    leaves[name] = np.ascontiguousarray(leaves[name].T)
    return name


def distort(leaves: Leaves, name: str, rng: np.random.Generator) -> str:
    shape = leaves[name].shape
    shapes: list[tuple[int, ...]] = [(), (1,) * 24, (4096,), (7, 7, 7), (0,), (0, *shape[1:])]
    leaves[name] = np.zeros(shapes[rng.integers(len(shapes))], np.float32)
    return name


def quantise(leaves: Leaves, name: str, rng: np.random.Generator) -> str:
    dtypes = (np.int8, np.uint8, np.int64, np.bool_)
    leaves[name] = leaves[name].astype(dtypes[rng.integers(len(dtypes))])
    return name


def change_precision(leaves: Leaves, name: str, rng: np.random.Generator) -> str:
    leaves[name] = leaves[name].astype((np.float16, np.float64)[rng.integers(2)])
    return name


def keep(leaves: Leaves, name: str, rng: np.random.Generator) -> str:
    return name


HOSTILE, PRECISION = "hostile pickle", "other precision"
KINDS: dict[str, Corrupt] = {
    "NaN": number(np.nan),
    "infinite": number(-np.inf),
    "renamed": rename,
    "missing": remove,
    "added": add,
    "duplicated": duplicate,
    "reshaped": reshape,
    "transposed": transpose,
    "absurd shape": distort,
    "integers": quantise,
    PRECISION: change_precision,
    HOSTILE: keep,
}
NAMED = {"NaN", "infinite", "reshaped", "transposed", "absurd shape", "integers"}
"""The kinds whose message has the name of the array."""


def write_legacy(path: Path, arrays: Leaves) -> None:
    """PyTorch's layout before 1.6: pickles, then the storages."""
    parts = [pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    parts += [pickled_state_dict(arrays), pickle.dumps([str(i) for i in range(len(arrays))], 2)]
    for array in arrays.values():
        parts += [array.size.to_bytes(8, "little"), np.ascontiguousarray(array).tobytes()]
    path.write_bytes(b"".join(parts))


FLAX: dict[str, Write] = {
    "msgpack": msgpack_writer.write,
    "npz": npz.write,
    "orbax": orbax.write,
}
TORCH: dict[str, Write] = {
    "safetensors": safetensors.write,
    "torch": zipped.write,
    "legacy": write_legacy,
}


def written(path: Path, kind: str, write: Write, leaves: Leaves, trap: Path) -> None:
    """The file at `path`; a hostile pickle writes to `trap` if it is run."""
    if kind == HOSTILE:
        return write_hostile(path, write, trap)
    if write is orbax.write:  # it cannot save empty arrays
        leaves = {name: x if x.size else np.zeros(1) for name, x in leaves.items()}
    write(path, leaves)
    for name in (name for name in leaves if name.endswith("~") and path.is_file()):
        copy = name.rpartition("/")[2].encode()
        original = next(x for x in leaves if x[:-1] == name[:-1] and x != name)
        path.write_bytes(path.read_bytes().replace(copy, original.rpartition("/")[2].encode()))


def write_hostile(path: Path, write: Write, trap: Path) -> None:
    if write is zipped.write:
        hostile_zip(path, trap)
    elif write is write_legacy:
        hostile_legacy(path, trap)
    elif write is npz.write:
        with path.open("wb") as file:
            np.savez(file, x=np.asarray([Hostile(trap)], dtype=object))
    else:  # the format has no pickles
        path.write_bytes(pickle.dumps({"params": Hostile(trap)}))
