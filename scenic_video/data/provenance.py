"""A folder of made files remembers how they were made, and is not made otherwise."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scenic_video.atomic_files import replacing
from scenic_video.errors import UserError


def claim(
    directory: Path, file_name: str, settings: Mapping[str, Any], *, contents: Iterable[str]
) -> None:
    """Notes `settings` in the directory's `file_name`, or compares them with those noted there.

    Raises ValueError if they differ, or if one of `contents` is there without a note: these are
    the files and folders that would be written.
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
                "Ask for these settings, choose another directory, or delete it."
            )
        return
    taken = [name for name in contents if (directory / name).exists()]
    if taken:
        raise UserError(
            f"{directory} holds a {taken[0]} that was not made here (there is no {file_name}). "
            "Choose another directory."
        )
    directory.mkdir(parents=True, exist_ok=True)
    with replacing(note) as scratch:
        scratch.write_text(json.dumps(dict(settings), indent=2) + "\n", "utf-8")
