"""Where numbers that were measured over a whole dataset are kept: with the data.

A folder may hold several datasets, so each measurement says of which examples it is.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scenic_video.atomic_files import replacing
from scenic_video.data.examples import Example

STATISTICS_FILE = "statistics.json"
WHICH = ("examples", "scale")
"""The fields of a measurement that say of what it is; one with others stands beside it."""

Measurement = dict[str, Any]
"""What was found, and "dataset", "split" and "examples": the names, and `identity`."""


def identity(examples: Sequence[Example]) -> str:
    """What a split is known by: 16 hex digits over the ids and times of its examples.

    Neither their order and labels count, nor paths. Splits that would have to be read for it say
    themselves what their `identity` is.
    """
    if stated := getattr(examples, "identity", ""):
        return stated
    digest = hashlib.sha256()
    for line in sorted(json.dumps([one.id, one.start, one.end]) for one in examples):
        digest.update(line.encode())
    return digest.hexdigest()[:16]


def read_statistics(folder: Path) -> dict[str, list[Measurement]]:
    """By modality, the measurements of the datasets in `folder`."""
    path = folder / STATISTICS_FILE
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    # One that stands alone is of an older version, and does not say of which examples it is.
    return {name: kept for name, kept in found.items() if isinstance(kept, list)}


def write_statistics(folder: Path, modality: str, measurement: Measurement) -> Path:
    """Notes a measurement in place of an older one of the same, and returns the file."""
    path = folder / STATISTICS_FILE
    found = read_statistics(folder)
    others = [kept for kept in found.get(modality, ()) if not _same(kept, measurement)]
    with replacing(path) as scratch:
        text = json.dumps(found | {modality: [*others, measurement]}, indent=2)
        scratch.write_text(text + "\n", "utf-8")
    return path


def _same(a: Measurement, b: Measurement) -> bool:
    return all(a[name] == b[name] for name in WHICH)
