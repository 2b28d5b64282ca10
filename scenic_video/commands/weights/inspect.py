"""scenic-video weights inspect: what a checkpoint holds."""

import argparse
from typing import Any

from scenic_video.commands.console import Terminal


def add_parser(commands: Any) -> None:
    """Adds `weights inspect`."""
    parser = commands.add_parser("inspect", help="what a checkpoint holds", description=__doc__)
    parser.add_argument("location", help="file, folder or address of a checkpoint")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the family, the model and the parameters."""
    from scenic_video.weights.reading import read_weights

    weights = read_weights(arguments.location)
    terminal = Terminal()
    count = sum(x.size for x in weights.params.values())
    numbers = {"family": weights.family, "parameters": count, **(weights.model or {})}
    terminal.results(arguments.location, numbers)
    rows = [(name, str(tuple(x.shape))) for name, x in weights.params.items()]
    terminal.table("Parameters", ("name", "shape"), rows)
    return 0
