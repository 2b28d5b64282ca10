"""Reads and writes statistics of a dataset, in the folder of the data.

A folder may hold several datasets, so each measurement states the fingerprint of its examples.
"""

import json
from pathlib import Path
from typing import Any

from scenic_video.atomic_files import replacing

STATISTICS_FILE = "statistics.json"
KEY = ("examples", "scale")
"""A measurement replaces an older one that is equal in these fields."""

Measurement = dict[str, Any]
"""The results, with "dataset" and "split" (names) and "examples" (`examples_fingerprint`)."""


def read_statistics(folder: Path) -> dict[str, list[Measurement]]:
    """The measurements of the datasets in `folder`, by modality."""
    path = folder / STATISTICS_FILE
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    # A file of that name in the user's folder may contain something else.
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
    return all(a[name] == b[name] for name in KEY)
