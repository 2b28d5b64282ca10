"""What an evaluation leaves behind: numbers as JSON, and arrays of all examples beside them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.atomic_files import replacing
from scenic_video.evaluators.evaluator import Result
from scenic_video.writers import json_of


def write_results(path: Path, summary: Mapping[str, Any], arrays: Mapping[str, Any]) -> Path:
    """Writes `path`, a .json, and an .npz of `arrays`, if there are any, and returns `path`.

    Both appear whole, and take the place of a link of that name: a workdir that was downloaded may
    have some, and what they lead to is not written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch:
        scratch.write_text(json_of(summary, indent=2) + "\n")
    if arrays:
        with replacing(path.with_suffix(".npz")) as scratch, scratch.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
    return path


def write(result: Result, name: str, folder: Path) -> Path:
    """Writes what the evaluator `name` found to `folder`/<name>.json; files of the evaluation of a
    split are named after its views too."""
    return write_results(folder / f"{result.file_name(name)}.json", result.summary, result.arrays)
