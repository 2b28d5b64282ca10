"""Turns what a pickle of PyTorch would call into arrays, and refuses what is no tensor."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from scenic_video.weights.containers.bounds import (
    DEEPEST,
    MOST_NODES,
    checked_shape,
)
from scenic_video.weights.containers.dtypes import STORAGES, TORCH_ALIASES, dtype_named
from scenic_video.weights.containers.mapped_file import typed
from scenic_video.weights.containers.pytorch.pickle_machine import Call, Name, OddKey, Reference
from scenic_video.weights.containers.weight_file import Malformed, StoredArray

Storages = Callable[[Any], tuple[int, Callable[[], np.ndarray]]]
"""The key of a storage -> its number of bytes, and a function that reads them."""

HOLDERS = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    "collections.",
    "pathlib.",
    "datetime.",
    "numpy.core.multiarray.",
    "numpy._core.multiarray.",
    "numpy.dtype",
    "numpy.ndarray",
    "_codecs.encode",
    "copy_reg._reconstructor",
    "copyreg._reconstructor",
    "__builtin__.object",
    "builtins.object",
    "__builtin__.set",
    "builtins.set",
    "omegaconf.",
    "ml_collections.",
    "yacs.config.",
    "fvcore.common.config.",
    "easydict.",
    "addict.",
    "mmcv.utils.config.",
    "mmengine.config.",
    "torch.device",
    "torch.Size",
)
"""What holds the options and records of a training beside its weights; it is not built either."""
TENSORS = ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3")
PARAMETERS = ("_rebuild_parameter", "_rebuild_parameter_with_state")


class Opaque:
    """A value that is not built, since it is no tensor."""

    def __init__(self, path: str):
        self.path = path

    def __repr__(self) -> str:
        return f"<{self.path}, not read>"


@dataclasses.dataclass(frozen=True)
class StorageId:
    """The persistent id of a storage; `dtype` is None for one of bytes.

    `start` is where a view of another storage begins in that one, in elements: only files before
    PyTorch 1.6 have such views.
    """

    key: str
    dtype: np.dtype | None
    elements: int
    start: int = 0

    @classmethod
    def of(cls, reference: Reference) -> "StorageId":
        kind, storage_type, key, _, elements, *views = reference.key
        if kind != "storage" or not isinstance(elements, int):
            raise Malformed(f"it refers to a {str(kind)[:40]!r}, not to a storage")
        start = views[0][1] if views and views[0] is not None else 0
        if not isinstance(start, int) or start < 0:
            raise Malformed(f"its storage {str(key)[:40]!r} begins nowhere")
        return cls(str(key), _storage_dtype(storage_type), elements, start)


class TensorReader:
    """Makes plain data of what a pickle holds; `storages` find the bytes of tensors."""

    def __init__(self, storages: Storages):
        self._storages = storages
        self._done: dict[int, StoredArray] = {}
        self._nodes = 0

    def plain(self, value: Any, depth: int = 0) -> Any:
        """`value` with tensors as `StoredArray`s and all other calls as `Opaque`.

        Errors: Malformed for calls of what is neither a tensor nor a known holder of data.
        """
        self._nodes += 1
        if depth > DEEPEST or self._nodes > MOST_NODES:
            raise Malformed("it is nested deeper or wider than any checkpoint")
        if isinstance(value, dict):
            return {self._key(k): self.plain(v, depth + 1) for k, v in value.items()}
        if isinstance(value, list | tuple | set):
            return [self.plain(item, depth + 1) for item in value]
        if isinstance(value, Call):
            return self._call(value, depth)
        if isinstance(value, Name):
            return self._opaque(value)
        if isinstance(value, Reference):
            return Opaque("a storage without a tensor")
        return value

    def _key(self, key: Any) -> Any:
        return f"<{type(key.value).__name__} {id(key)}>" if isinstance(key, OddKey) else key

    def _call(self, call: Call, depth: int) -> Any:
        name = call.function.path if isinstance(call.function, Name) else ""
        if name.startswith("torch.") and name.endswith(("._rebuild_from_type_v2",)):
            function, _, arguments, _ = call.arguments
            return self._call(Call(function, arguments), depth)
        if name in {f"torch._utils.{function}" for function in PARAMETERS}:
            return self.plain(call.arguments[0], depth + 1)
        if name == "torch.nn.parameter.Parameter":
            return self.plain(call.arguments[0], depth + 1)
        if name in {f"torch._utils.{function}" for function in TENSORS}:
            return self._tensor(name, call)
        for part in (call.arguments, call.state, call.items):
            self.plain(part, depth + 1)  # what is refused is refused inside of them too
        if name == "torch.Size":
            return self.plain(call.arguments[0], depth + 1)
        return self._opaque(call.function)

    def _opaque(self, function: Any) -> Opaque:
        path = function.path if isinstance(function, Name) else "a computed function"
        allowed = path.startswith(HOLDERS) or path.startswith("torch.") and _is_dtype(path)
        if not allowed:
            raise Malformed(
                f"it names {path[:80]}, which is neither a tensor nor plain data. Nothing of it "
                "was run; save it again with its tensors alone (model.state_dict())"
            )
        return Opaque(path)

    def _tensor(self, name: str, call: Call) -> StoredArray:
        if id(call) not in self._done:
            reference, offset, shape, stride, *rest = call.arguments
            dtype = _dtype(rest[2]) if name.endswith("_v3") else None
            self._done[id(call)] = self._view(reference, offset, shape, stride, dtype)
        return self._done[id(call)]

    def _view(
        self, reference: Any, offset: Any, shape: Any, stride: Any, dtype: np.dtype | None
    ) -> StoredArray:
        if not isinstance(reference, Reference):
            raise Malformed("it has a tensor without a storage")
        storage = StorageId.of(reference)
        dtype = dtype or storage.dtype
        if dtype is None:
            raise Malformed("it has a tensor of bytes without a dtype")
        length, read = self._storages(storage.key)
        elements = length // dtype.itemsize
        shape, stride = checked_shape(str(storage.key), _sizes(shape)), _sizes(stride)
        _check_view(str(storage.key), shape, stride, offset, elements - storage.start)
        start = storage.start + offset

        def load() -> np.ndarray:
            flat = typed(read()[: elements * dtype.itemsize], dtype)[start:]
            steps = tuple(dtype.itemsize * step for step in stride)
            return as_strided(flat, shape, steps, writeable=False)

        return StoredArray(shape, dtype, load)


def _sizes(value: Any) -> tuple[Any, ...]:
    if isinstance(value, Call):  # torch.Size
        value = value.arguments[0]
    return tuple(value)


def _check_view(
    name: str, shape: tuple[int, ...], stride: tuple[Any, ...], offset: Any, elements: int
) -> None:
    """Errors: Malformed if the view reaches outside of its storage."""
    counts = all(isinstance(n, int) and n >= 0 for n in (offset, *stride))
    if not counts or len(stride) != len(shape):
        raise Malformed(f"a tensor of the storage {name!r} has impossible strides")
    if math.prod(shape) == 0:
        return
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    if last >= elements:
        raise Malformed(
            f"a tensor {list(shape)} reaches element {last:,} of the storage {name!r}, which has "
            f"{elements:,}"
        )


def _is_dtype(path: str) -> bool:
    try:
        _dtype(Name(path))
    except Malformed:
        return False
    return True


def _dtype(value: Any) -> np.dtype:
    name = value.path.removeprefix("torch.") if isinstance(value, Name) else str(value)
    return dtype_named(TORCH_ALIASES.get(name, name))


def _storage_dtype(value: Any) -> np.dtype | None:
    """None for a storage of bytes."""
    name = value.path.rsplit(".", 1)[-1] if isinstance(value, Name) else str(value)
    if name == "UntypedStorage":
        return None
    if not isinstance(value, Name) or name not in STORAGES:
        raise Malformed(f"it has a storage of the type {name[:40]!r}")
    return dtype_named(STORAGES[name])
