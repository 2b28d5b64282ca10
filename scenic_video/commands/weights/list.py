"""scenic-video weights list: the public checkpoints that are known by name."""

import argparse
import dataclasses
import json
from typing import Any

from scenic_video.commands.console import Terminal
from scenic_video.errors import UserError

EXAMPLES = """\
examples:
  scenic-video weights list
  scenic-video weights list mtv
  scenic-video weights list imagenet21k --json

A name can be given wherever a file of weights can: --config.init.path=NAME, weights inspect NAME.
"""
COLUMNS = ("name", "size", "licence", "SHA-256", "published result", "on this machine")


def add_parser(commands: Any) -> None:
    """Adds `weights list`."""
    parser = commands.add_parser(
        "list", help="the public checkpoints", description=__doc__, epilog=EXAMPLES
    )
    parser.add_argument(
        "filter", nargs="?", default="", help="a part of a name, paper or publisher"
    )
    parser.add_argument("--json", action="store_true", help="print all that is known as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints a line for each, or JSON."""
    from scenic_video.weights.locations.public import place_of
    from scenic_video.weights.registry.public_checkpoint import UNKNOWN
    from scenic_video.weights.registry.registry import checkpoints

    wanted = arguments.filter.lower()
    found = [
        x
        for x in checkpoints().values()
        if any(wanted in (text or "").lower() for text in (x.name, x.paper, x.publisher))
    ]
    if not found:
        raise UserError(
            f"No public checkpoint has {arguments.filter!r} in its name, paper or publisher; "
            "without a filter, all are listed."
        )
    if arguments.json:
        rows = [
            {**dataclasses.asdict(x), "model": x.model, "path": str(place_of(x))}
            | {"is_here": place_of(x).exists()}
            for x in found
        ]
        print(json.dumps(rows, indent=2))
        return 0
    table = [
        (
            x.name,
            x.size,
            x.licence or UNKNOWN,
            (x.sha256 or UNKNOWN)[:12],
            x.results or "",
            "yes" if place_of(x).exists() else "",
        )
        for x in found
    ]
    Terminal().table(f"{len(found)} public checkpoints", COLUMNS, table, fold=False)
    return 0
