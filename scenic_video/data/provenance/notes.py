"""Notes on generated files: the settings and the source that they were made from."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scenic_video.atomic_files import replacing
from scenic_video.errors import UserError


@dataclasses.dataclass(frozen=True)
class Note:
    """`source` is the fingerprint of a dataset, the `content_of` a file, or "" if there is none."""

    settings: Mapping[str, Any]
    source: str = ""

    @property
    def fields(self) -> dict[str, Any]:
        return ({"source": self.source} if self.source else {}) | dict(self.settings)

    def to_json(self, indent: int | None = None) -> str:
        return json.dumps(self.fields, indent=indent)

    @classmethod
    def from_json(cls, text: str) -> "Note | None":
        """None if the text is no note."""
        try:
            fields = json.loads(text)
        except ValueError:
            return None
        if not isinstance(fields, dict) or not isinstance(source := fields.pop("source", ""), str):
            return None
        return cls(fields, source)


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The settings that differ, for messages; "" if none do."""
    return ", ".join(
        f"{name}={found.get(name)} instead of {wanted.get(name)}"
        for name in dict.fromkeys([*wanted, *found])
        if found.get(name) != wanted.get(name)
    )


def claim(directory: Path, file_name: str, note: Note, *, contents: Iterable[str]) -> None:
    """Writes the note to `file_name` in the directory, or compares it with the one that is there.

    Errors: UserError if they differ, or if one of `contents`, the files and folders that would be
    written, exists without `file_name`.
    """
    path = directory / file_name
    if path.exists():
        _check_same(path, note)
        return
    taken = [name for name in contents if (directory / name).exists()]
    if taken:
        raise UserError(
            f"{directory} contains {taken[0]} but no {file_name}: it was not made here. "
            "Choose another directory."
        )
    directory.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch:
        scratch.write_text(note.to_json(indent=2) + "\n", "utf-8")


def _check_same(path: Path, wanted: Note) -> None:
    found = Note.from_json(path.read_text("utf-8"))
    if found is None:
        raise UserError(
            f"{path} does not state how the files beside it were made: it is damaged. Choose "
            f"another directory, or delete {path.parent}."
        )
    if difference := differences(found.fields, wanted.fields):
        raise UserError(
            f"{path.parent} was made with other settings: {difference}. "
            "Use those settings, choose another directory, or delete this one."
        )
