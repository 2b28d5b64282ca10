"""A file whose bytes are mapped into memory, so that only what is used is read."""

from pathlib import Path

import numpy as np

from scenic_video.weights.containers.bounds import checked_bytes
from scenic_video.weights.containers.weight_file import Malformed, StoredArray


class MappedFile:
    """The bytes of a file, at least one."""

    def __init__(self, path: Path):
        self.path = path
        self.data = np.asarray(np.memmap(path, np.uint8, "r"))
        self.size = len(self.data)

    def bytes(self, start: int, length: int) -> bytes:
        """Errors: Malformed if the file ends before."""
        self._require(start, length)
        return self.data[start : start + length].tobytes()

    def raw(self, start: int, length: int) -> np.ndarray:
        """The same as an array of bytes, which is not copied."""
        self._require(start, length)
        return self.data[start : start + length]

    def array(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype, start: int, length: int
    ) -> StoredArray:
        """An array in row-major order. Errors: Malformed if its bytes are not in the file."""
        checked_bytes(name, shape, dtype, length)
        self._require(start, length)
        return StoredArray(
            shape, dtype, lambda: typed(self.raw(start, length), dtype).reshape(shape)
        )

    def _require(self, start: int, length: int) -> None:
        if start < 0 or length < 0 or start + length > self.size:
            raise Malformed(
                f"it is truncated: {length:,} bytes are missing from {start:,} on, "
                f"since the file ends at {self.size:,}"
            )


def typed(raw: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Bytes as elements of a dtype; copied only if they are not aligned."""
    array = raw.view(dtype)
    return array if array.flags.aligned else array.copy()
