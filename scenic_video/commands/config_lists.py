"""Overrides of the nodes of a list: `--config.augmentation.rgb.color_jitter.probability=0.5`."""

from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from scenic_video.config import ConfigError, near


def depth_of_list(config: Any, parts: Sequence[str]) -> int | None:
    """The number of `parts` before a list of nodes; None if they lead through no list."""
    node = config
    for depth, part in enumerate(parts[:-1]):
        if isinstance(node, list | tuple):
            return depth
        if not isinstance(node, ConfigDict) or part not in node:
            return None
        node = node[part]
    return None


def position_in(items: Sequence[Any], key: str, *, name: str) -> int:
    """The position of the item that `key` means: an index, or the name of the item's target."""
    names = [_name(item) for item in items]
    if key in names and names.count(key) == 1:
        return names.index(key)
    if key.isdecimal() and int(key) < len(items):
        return int(key)
    if key in names:
        raise ConfigError(f"{name}: the list has {key!r} more than once. Give its index, from 0.")
    described = ", ".join(f"{index} is {item}" for index, item in enumerate(names)) or "it is empty"
    raise ConfigError(f"{name}: the list has no {key!r} ({described}){near(key, names)}")


def _name(item: Any) -> str:
    target = item.get("target", "") if isinstance(item, Mapping) else ""
    return str(target).rpartition(":")[2]
