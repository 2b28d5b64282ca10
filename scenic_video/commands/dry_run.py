"""`--dry-run`: prints what can be said of a run without starting it."""

import json
from collections.abc import Mapping
from typing import Any

from scenic_video.commands.console import Terminal
from scenic_video.runs.plan import plan


def show(config: Mapping[str, Any], terminal: Terminal) -> None:
    """Prints the resolved config, the model's table, shapes, steps and rates, and what is not there
    yet that the run reads."""
    found = plan(config, terminal)
    print(json.dumps(found.config, indent=2, default=str))
    print(found.parameters)
    terminal.table("Run", ("what", "value"), found.rows)
    for words in found.missing:
        terminal.line(f"warning: {words}")
