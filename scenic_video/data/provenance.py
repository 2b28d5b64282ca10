"""Records in a folder of generated files the settings that they were generated with."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scenic_video.atomic_files import replacing
from scenic_video.errors import UserError


def claim(
    directory: Path, file_name: str, settings: Mapping[str, Any], *, contents: Iterable[str]
) -> None:
    """Writes `settings` to `file_name` in the directory, or compares them with those in it.

    Errors: UserError if they differ, or if one of `contents`, the files and folders that would be
    written, exists without `file_name`.
    """
    note = directory / file_name
    if note.exists():
        found = json.loads(note.read_text("utf-8"))
        names = dict.fromkeys([*settings, *found])
        other = [name for name in names if found.get(name) != settings.get(name)]
        if other:
            difference = ", ".join(
                f"{name}={found.get(name)} instead of {settings.get(name)}" for name in other
            )
            raise UserError(
                f"{directory} was made with other settings: {difference}. "
                "Use those settings, choose another directory, or delete this one."
            )
        return
    taken = [name for name in contents if (directory / name).exists()]
    if taken:
        raise UserError(
            f"{directory} contains {taken[0]} but no {file_name}: it was not made here. "
            "Choose another directory."
        )
    directory.mkdir(parents=True, exist_ok=True)
    with replacing(note) as scratch:
        scratch.write_text(json.dumps(dict(settings), indent=2) + "\n", "utf-8")
