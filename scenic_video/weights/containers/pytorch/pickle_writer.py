"""Writes the pickle of a PyTorch state dict, without PyTorch."""

import struct
from collections.abc import Mapping

import numpy as np

from scenic_video.errors import UserError
from scenic_video.weights.containers.dtypes import STORAGES, dtype_named

TYPES = {dtype_named(name): storage for storage, name in STORAGES.items()}


def pickled_state_dict(arrays: Mapping[str, np.ndarray], wrapper: str | None = None) -> bytes:
    """A dict of tensors, each with a storage of its own, named by its number."""
    start, end = (b"", b"") if wrapper is None else (b"}" + _text(wrapper), b"s")
    parts = [b"\x80\x02" + start + b"}("]
    for number, (name, array) in enumerate(arrays.items()):
        parts += [_text(name), _tensor(number, name, array)]
    return b"".join([*parts, b"u", end, b"."])


def _tensor(number: int, name: str, array: np.ndarray) -> bytes:
    if array.dtype not in TYPES:
        raise UserError(f"PyTorch has no storage of {array.dtype}, the dtype of {name!r}.")
    strides, step = [], 1
    for size in reversed(array.shape):
        strides.append(step)
        step *= size
    storage = (
        _text("storage")
        + _global("torch", TYPES[array.dtype])
        + _text(str(number))
        + _text("cpu")
        + _integer(array.size)
    )
    return (
        _global("torch._utils", "_rebuild_tensor_v2")
        + b"(("
        + storage
        + b"tQ"  # the tuple, as a persistent id
        + _integer(0)
        + _integers(array.shape)
        + _integers(tuple(reversed(strides)))
        + b"\x89"  # False: requires no gradient
        + _global("collections", "OrderedDict")
        + b")RtR"  # OrderedDict(), the end of the arguments, the call
    )


def _text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _integer(value: int) -> bytes:
    if value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x08" + struct.pack("<q", value)


def _integers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(_integer(value) for value in values) + b"t"
