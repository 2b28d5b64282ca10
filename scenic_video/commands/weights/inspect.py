"""scenic-video weights inspect: what a checkpoint holds."""

import argparse
import json
from typing import Any

from scenic_video.commands import flags
from scenic_video.commands.console import Terminal
from scenic_video.commands.weights.progress import downloading

EXAMPLES = """\
examples:
  scenic-video weights inspect ViT-B_16.npz
  scenic-video weights inspect hf:google/vivit-b-16x2-kinetics400 --json

A checkpoint of no known family is shown too, with the reason; the exit code is then 2.
"""


def add_parser(commands: Any) -> None:
    """Adds `weights inspect`."""
    parser = commands.add_parser(
        "inspect", help="what a checkpoint holds", description=__doc__, epilog=EXAMPLES
    )
    parser.add_argument("location", help="file, folder, run or address of a checkpoint")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    flags.add_trust(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints what is known, and the arrays; exit code 2 if the family is unknown."""
    from scenic_video.weights.inspection import inspect

    with downloading(arguments.location) as progress:
        found = inspect(arguments.location, trust=arguments.trust, progress=progress)
    if arguments.json:
        print(json.dumps(found.to_json(), indent=2, default=str))
    else:
        terminal = Terminal()
        terminal.table(arguments.location, ("what", "value"), found.rows())
        terminal.table("Arrays", ("name", "shape", "dtype", "layers"), found.tree())
        if found.refusal:
            terminal.line(f"Not usable here: {found.refusal}")
    return 2 if found.refusal else 0
