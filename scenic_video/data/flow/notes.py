"""Stores in a file of optical flow the video and the settings that it was computed from."""

import json
from pathlib import Path
from typing import Any

from av.error import FFmpegError

from scenic_video.data.decoding.containers import Source, open_container
from scenic_video.data.decoding.content import content_of

KEY = "comment"
"""The tag of an mp4 file that holds the note."""
SOURCE = "source_content"


def note(source: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The note for flow of the video `source` in its present state. Errors: OSError."""
    return {**settings, SOURCE: content_of(source)}


def metadata(noted: dict[str, Any]) -> dict[str, str]:
    """The tags of an mp4 file that holds a note."""
    return {KEY: json.dumps(noted)}


def read_note(path: Path) -> dict[str, Any] | None:
    """The note in a file of flow; None if it has none or does not open."""
    try:
        with open_container(path) as container:
            noted = json.loads(container.metadata.get(KEY, ""))
    except (FFmpegError, ValueError):
        return None
    return noted if isinstance(noted, dict) and SOURCE in noted else None


def is_outdated(path: Path, source: Source) -> bool:
    """Whether the file states that it was computed from another state of the video `source`."""
    noted = read_note(path)
    return noted is not None and noted[SOURCE] != content_of(source)


def other_settings(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """The settings in which two notes differ, in words; "" if there are none."""
    return ", ".join(
        f"{name}={found.get(name)} instead of {value}"
        for name, value in wanted.items()
        if name != SOURCE and found.get(name) != value
    )
