"""A corrupted file is one clear error or is read; it never ends in a traceback."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from scenic_video.errors import UserError
from scenic_video.weights.locations.reading import read
from tests.weights.containers.conftest import WRITERS

TIMES = 100
"""Corruptions of each of the five containers."""
MOST_MEMORY = 32 << 20
"""Bytes; the files have at most 4.2 kB."""


def corrupted(content: bytes, rng: np.random.Generator) -> bytes:
    """Truncated, with flipped bits, with a part overwritten, repeated or cut out."""
    data = bytearray(content)
    start, end = sorted(rng.integers(0, len(data), 2))
    match rng.integers(5):
        case 0:
            return bytes(data[:start])
        case 1:
            for place in rng.integers(0, len(data), rng.integers(1, 8)):
                data[place] ^= 1 << rng.integers(8)
        case 2:
            data[start : start + 8] = rng.bytes(8)
        case 3:
            data[start:start] = data[start:end]
        case 4:
            del data[start : min(end, start + 64)]
    return bytes(data)


@pytest.mark.parametrize("container", WRITERS)
def test_a_corrupted_file_is_a_clear_error_or_read_within_bounds(container: str, tmp_path: Path):
    path = tmp_path / "w"
    WRITERS[container](path)
    content, refused = path.read_bytes(), 0
    tracemalloc.start()
    for seed in range(TIMES):
        path.unlink()  # a mapped file must not change under its readers
        path.write_bytes(corrupted(content, np.random.default_rng(seed)))
        try:
            file = read(path)
            arrays = dict(file.leaves)
        except UserError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            refused += 1
        else:
            assert all(x.nbytes <= len(content) * 1000 for x in arrays.values())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > TIMES // 4
    assert peak < MOST_MEMORY
