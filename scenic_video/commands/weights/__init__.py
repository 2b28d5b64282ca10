"""scenic-video weights: lists, downloads, shows, converts and compares checkpoints."""

from typing import Any

from scenic_video.commands.weights import convert, inspect, list, plan, pull, verify

EXAMPLES = """\
examples:
  scenic-video weights list
  scenic-video weights pull vit-b16-imagenet21k
  scenic-video weights inspect ViT-B_16.npz
  scenic-video weights inspect hf:google/vivit-b-16x2-kinetics400
"""
COMMANDS = (list, pull, inspect, plan, convert, verify)


def add_parser(subparsers: Any) -> None:
    """Adds the command `weights` and its subcommands."""
    parser = subparsers.add_parser(
        "weights",
        help="list, download, show, convert and compare checkpoints",
        description=__doc__,
        epilog=EXAMPLES,
    )
    names = "|".join(command.__name__.rpartition(".")[2] for command in COMMANDS)
    commands = parser.add_subparsers(metavar=names, required=True)
    for command in COMMANDS:
        command.add_parser(commands)
