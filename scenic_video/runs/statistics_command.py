"""The command that measures missing statistics, for an error message."""

import dataclasses
import shlex
from typing import Any

from scenic_video.config import resolve
from scenic_video.data.input.audio import NORMALISATION_FIELDS
from scenic_video.data.sources.datasets import open_dataset
from scenic_video.data.sources.manifest import Heads, columns_of
from scenic_video.modalities.audio import Audio

NODE_FILE = "node.json"
"""The file of a dataset node that is not a path, in the command."""
FIELDS = [field for field in dataclasses.fields(Audio) if field.name not in NORMALISATION_FIELDS]


def command(node: Any, split: str, audio: Audio) -> str:
    """The command that measures what a run with this dataset node, split and audio needs."""
    fields = {"path": node} if isinstance(node, str) else node
    is_path = isinstance(node, str) or resolve(node["target"]) is open_dataset
    words = ["scenic-video", "data", "stats", fields["path"] if is_path else NODE_FILE]
    words.append(f"--split={split}")
    if is_path:
        flags = {"root": fields.get("root"), "heads": _columns(fields.get("heads"))}
        words += [f"--{name}={value}" for name, value in flags.items() if value]
        words += ["--multilabel"] if fields.get("multilabel") else []
    for field in FIELDS:
        value = getattr(audio, field.name)
        if value != field.default:
            words.append(f"--{field.name.replace('_', '-')}={value}")
    words += [f"--out={audio.statistics}"] if audio.statistics else []
    note = "" if is_path else f" ({NODE_FILE}: the config's dataset node, as JSON)"
    return shlex.join(words) + note


def _columns(heads: Heads | None) -> str:
    return ",".join(columns_of(heads).values()) if heads else ""
