"""Distinguishes checkpoints without read permission from damaged ones."""

from etils import epath


class Unreadable(str):
    """A problem of permissions, not of the checkpoint."""


def unreadable(folder: epath.Path) -> Unreadable | None:
    """Why a file in the folder cannot be opened, unless the reason is damage."""
    paths = [folder]
    try:
        while paths:
            path = paths.pop()
            if path.is_dir():
                paths.extend(path.iterdir())
            else:
                with path.open("rb") as file:
                    file.read(1)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Unreadable(f"{error.strerror}: {error.filename or folder}")
    return None
