"""Configs as dicts of nodes."""

from collections.abc import Mapping
from typing import Any


def merged(nodes: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """`nodes` with further `fields` for each, which replace those of the same name."""
    return dict(nodes) | {name: nodes.get(name, {}) | fields[name] for name in fields}
