"""`--dry-run`: prints what is known of a run before it starts."""

import json
from collections.abc import Mapping
from typing import Any

from scenic_video.commands.console import Terminal
from scenic_video.runs.plan import plan


def show(config: Mapping[str, Any], terminal: Terminal) -> None:
    """Prints the resolved config, the parameters, shapes, steps and rates, and warns of missing
    files."""
    found = plan(config, terminal)
    print(json.dumps(found.config, indent=2, default=str))
    print(found.parameters)
    terminal.table("Run", ("what", "value"), found.rows)
    for warning in found.missing:
        terminal.line(f"warning: {warning}")
