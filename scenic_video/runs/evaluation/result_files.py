"""Writes the results of an evaluation: numbers as JSON, arrays of all examples as .npz."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.atomic_files import replacing
from scenic_video.evaluators.evaluator import Result
from scenic_video.writers import json_of


def write_results(path: Path, summary: Mapping[str, Any], arrays: Mapping[str, Any]) -> Path:
    """Writes `path`, a .json, and an .npz of `arrays`, if there are any, and returns `path`.

    Both are written atomically and replace links of that name, which a downloaded workdir may have,
    rather than follow them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch:
        scratch.write_text(json_of(summary, indent=2) + "\n")
    if arrays:
        with replacing(path.with_suffix(".npz")) as scratch, scratch.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
    return path


def write(result: Result, name: str, folder: Path) -> Path:
    """Writes the result of the evaluator `name` to `folder`/<name>.json; the file name of the
    evaluation of a split has its views too."""
    return write_results(folder / f"{result.file_name(name)}.json", result.summary, result.arrays)
