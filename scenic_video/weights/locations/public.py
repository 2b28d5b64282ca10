"""Public checkpoints by name: the place of each in the cache, where it is pulled or put by hand."""

from pathlib import Path

from scenic_video.errors import UserError
from scenic_video.weights.locations.cache import VARIABLE, cache_folder
from scenic_video.weights.registry.public_checkpoint import UNKNOWN, PublicCheckpoint
from scenic_video.weights.registry.registry import NAME, checkpoints, find


def is_public(location: str) -> bool:
    """Whether this is a name of the registry, or a misspelt one: it looks like one, and no file or
    folder has it. A file that has the name of a checkpoint is read as "./NAME"."""
    if location in checkpoints():
        return True
    return bool(NAME.fullmatch(location)) and not Path(location).exists()


def place_of(checkpoint: PublicCheckpoint) -> Path:
    """Where the file of a public checkpoint is kept."""
    return cache_folder() / checkpoint.name / checkpoint.file_name


def local_path(name: str) -> Path:
    """The file of a public checkpoint. Errors: UserError if it is not known, or not there."""
    if words := absent_words(name):
        raise UserError(words)
    return place_of(find(name))


def absent_words(name: str) -> str:
    """What to fetch and where to put it, or which names are near; "" if it is there."""
    try:
        checkpoint = find(name)
    except UserError as error:
        return str(error)
    if place_of(checkpoint).exists():
        return ""
    return (
        f"The public checkpoint {name} is not on this machine. Fetch it by `scenic-video weights "
        f"pull {name}` ({checkpoint.web_address}, size {checkpoint.size}, licence "
        f"{checkpoint.licence or UNKNOWN}) or, without a network, put that file at "
        f"{place_of(checkpoint)} (${VARIABLE} names another folder)."
    )
