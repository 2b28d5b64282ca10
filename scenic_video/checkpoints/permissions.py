"""Tells a checkpoint that may not be read from one that is damaged."""

from etils import epath


class Unreadable(str):
    """A problem that is not the checkpoint's: the system refuses to read it."""


def unreadable(folder: epath.Path) -> Unreadable | None:
    """Why a file of a folder cannot be opened, if one cannot for another reason than damage."""
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
