"""scenic-video data synthesize: generates synthetic clips of actions."""

import argparse
from typing import Any

from scenic_video.commands import flags
from scenic_video.commands.console import Terminal
from scenic_video.commands.data.source import add_workers, counting
from scenic_video.field_types import PositiveInt, Seed

EXAMPLES = """\
example:
  scenic-video data synthesize --out=data/synthetic --clips=1000 --seed=0
"""


def add_parser(commands: Any) -> None:
    """Adds `data synthesize`."""
    parser = commands.add_parser(
        "synthesize",
        help="generate synthetic clips of actions",
        description="Generates mp4 files with audio, of actions that differ in frame order.",
        epilog=EXAMPLES,
    )
    parser.add_argument("--out", type=flags.path, required=True, help="folder to write")
    parser.add_argument(
        "--clips",
        type=flags.number(PositiveInt),
        required=True,
        help="number of clips, including the test split",
    )
    parser.add_argument(
        "--seed", type=flags.number(Seed), default=0, help="seed of the clips (default: 0)"
    )
    add_workers(parser, "processes")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`scenic-video data synthesize`."""
    from scenic_video.data import synthetic

    with counting("clips") as progress:
        folder = synthetic.synthesize(
            arguments.out,
            num_clips=arguments.clips,
            seed=arguments.seed,
            num_workers=arguments.num_workers,
            progress=progress,
        )
    Terminal().line(f"{arguments.clips} clips are in {folder}: train.csv, test.csv.")
    return 0
