"""The note of a file of optical flow, in its metadata: how and from what it was computed."""

from pathlib import Path

from av.error import FFmpegError

from scenic_video.data.decoding.containers import Source, open_container
from scenic_video.data.provenance.content import content_of
from scenic_video.data.provenance.notes import Note

TAG = "comment"
"""The tag of an mp4 file with the note."""


def metadata(note: Note) -> dict[str, str]:
    """The metadata of an mp4 file with this note."""
    return {TAG: note.to_json()}


def read_note(path: Path) -> Note | None:
    """The note in a file of flow; None if it has none or does not open."""
    try:
        with open_container(path) as container:
            note = Note.from_json(container.metadata.get(TAG, ""))
    except FFmpegError:
        return None
    return note if note is not None and note.source else None


def is_outdated(path: Path, video: Source) -> bool:
    """Whether the file states that it was computed from another content of the video."""
    note = read_note(path)
    return note is not None and note.source != content_of(video)
