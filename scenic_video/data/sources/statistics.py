"""Reads and writes statistics that were measured over a whole dataset, in the folder of the data.

A folder may hold several datasets, so each measurement states its examples.
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
"""The fields that identify a measurement; one that differs in them does not replace it."""

Measurement = dict[str, Any]
"""The results, with "dataset" and "split" (names) and "examples" (the `identity`)."""


def identity(examples: Sequence[Example]) -> str:
    """A hash (16 hex digits) of the ids and times of the examples of a split.

    Order, labels and paths do not matter. Splits that would have to be read for it have an
    `identity` of their own.
    """
    if stated := getattr(examples, "identity", ""):
        return stated
    digest = hashlib.sha256()
    for line in sorted(json.dumps([one.id, one.start, one.end]) for one in examples):
        digest.update(line.encode())
    return digest.hexdigest()[:16]


def read_statistics(folder: Path) -> dict[str, list[Measurement]]:
    """The measurements of the datasets in `folder`, by modality."""
    path = folder / STATISTICS_FILE
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    # A measurement outside a list is of an older version, which did not state its examples.
    return {name: kept for name, kept in found.items() if isinstance(kept, list)}


def write_statistics(folder: Path, modality: str, measurement: Measurement) -> Path:
    """Writes a measurement, replaces an older one of the same examples, and returns the file."""
    path = folder / STATISTICS_FILE
    found = read_statistics(folder)
    others = [kept for kept in found.get(modality, ()) if not _same(kept, measurement)]
    with replacing(path) as scratch:
        text = json.dumps(found | {modality: [*others, measurement]}, indent=2)
        scratch.write_text(text + "\n", "utf-8")
    return path


def _same(a: Measurement, b: Measurement) -> bool:
    return all(a[name] == b[name] for name in WHICH)
