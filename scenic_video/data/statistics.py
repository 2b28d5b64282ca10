"""Where numbers that were measured over a whole dataset are kept: with the data."""

import json
from pathlib import Path
from typing import Any

from scenic_video.data.replacing import replacing

STATISTICS_FILE = "statistics.json"


def read_statistics(folder: Path) -> dict[str, Any]:
    """The statistics of the dataset in `folder`, by modality; none where none were computed."""
    path = folder / STATISTICS_FILE
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def write_statistics(folder: Path, modality: str, statistics: dict[str, Any]) -> Path:
    """Notes the statistics of one modality beside those of others, and returns the file."""
    path = folder / STATISTICS_FILE
    with replacing(path) as scratch:
        text = json.dumps(read_statistics(folder) | {modality: statistics}, indent=2)
        scratch.write_text(text + "\n", "utf-8")
    return path
