"""Finds the files of a dataset node that do not exist, and the fields that name them."""

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
REMEDY = (
    "Put the data there, set that field to its path, or use your own data with "
    "--config.dataset=FOLDER, a folder of manifests (train.csv and test.csv with the columns path "
    "and label) or with a folder of videos per class."
)


def refuse_absent(node: Any, remedy: str = REMEDY) -> None:
    """Errors: ConfigError if a file or folder that the node of a dataset names does not exist."""
    if message := absent(node):
        raise ConfigError(f"{message} {remedy}")


def absent(node: Any) -> str:
    """A sentence about what does not exist, or an empty string."""
    missing = [(field, path) for field, path in _paths(node) if not _exists(path)]
    if not missing:
        return ""
    (field, path), *more = missing
    others = f" (nor do the paths of {', '.join(name for name, _ in more)})" if more else ""
    return (
        f"{field} names {path!r}, which does not exist{others}; relative paths start at the "
        f"working directory, {os.getcwd()}."
    )


def outline_where_absent(node: Any) -> Dataset | None:
    """The classes and sizes, if known, of a dataset that does not exist or is not generated yet."""
    is_generated = isinstance(node, Mapping) and node.get("target") == SYNTHETIC
    return outline_of(node) if is_generated or absent(node) else None


def _paths(node: Any) -> Iterator[tuple[str, str]]:
    """Field and path, for readers of this package only."""
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
    except (OSError, RuntimeError):  # no permission, which its reader reports
        return True
