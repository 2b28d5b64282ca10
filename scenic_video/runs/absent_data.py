"""Data that a config names and that is not there: which files, named by which field."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scenic_video.config import ConfigError
from scenic_video.data.examples import Dataset
from scenic_video.runs.outlines import SYNTHETIC, outline_of

READERS = "scenic_video.data."
FILES = ("path", "directory", "splits", "annotations", "labels", "categories", "classes")
FILES += ("noun_classes", "verb_classes", "root")
"""Fields of the readers of this package that hold paths, one or several by name."""
CURE = (
    "Put it there, name another place in that field, or take data of your own by "
    "--config.dataset=FOLDER, which holds manifests (train.csv and test.csv with the columns path "
    "and label) or folders of classes with videos."
)


def refuse_absent(node: Any, cure: str = CURE) -> None:
    """Errors: ConfigError where a file or folder that the node of a dataset names is not there."""
    if words := absent(node):
        raise ConfigError(f"{words} {cure}")


def absent(node: Any) -> str:
    """What is not there, in a sentence, or an empty string."""
    missing = [(field, path) for field, path in _paths(node) if not _exists(path)]
    if not missing:
        return ""
    (field, path), *more = missing
    others = f" (nor what {', '.join(name for name, _ in more)} name)" if more else ""
    return (
        f"There is no {path!r}, which {field} names{others}; relative paths start at the working "
        f"folder, {os.getcwd()}."
    )


def outline_where_absent(node: Any) -> Dataset | None:
    """The classes and sizes of a dataset that is not there, or not made yet, if they are known."""
    is_made = isinstance(node, Mapping) and node.get("target") == SYNTHETIC
    return outline_of(node) if is_made or absent(node) else None


def _paths(node: Any) -> Iterator[tuple[str, str]]:
    """Field and path; those of other packages' functions are not known."""
    if isinstance(node, str):
        yield "dataset", node
    elif isinstance(node, Mapping) and str(node.get("target")).startswith(READERS):
        for name in FILES if node["target"] != SYNTHETIC else ():
            value = node.get(name)
            if isinstance(value, str):
                yield f"dataset.{name}", value
            elif isinstance(value, Mapping):
                inner = ((key, path) for key, path in value.items() if isinstance(path, str))
                yield from ((f"dataset.{name}.{key}", path) for key, path in inner)


def _exists(path: str) -> bool:
    return not path or path.startswith("tfds:") or "://" in path or _on_disk(Path(path))


def _on_disk(path: Path) -> bool:
    try:
        return path.expanduser().exists()
    except (OSError, RuntimeError):  # may not be looked at, which its reader says
        return True
