"""scenic-video data: makes, checks, converts and packs datasets."""

from typing import Any

from scenic_video.commands.data import build, check, flow, stats, synthesize, transcode

EXAMPLES = """\
examples:
  scenic-video data synthesize --out=data/synthetic --clips=1000
  scenic-video data check data/synthetic
  scenic-video data stats data/synthetic --seconds=1.6
  scenic-video data transcode videos/train.csv videos/test.csv --out=data/videos_256
  scenic-video data build data/videos_256 --out=data/videos_records
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command `data` and its subcommands."""
    parser = subparsers.add_parser(
        "data", help="make, check, convert and pack datasets", description=__doc__, epilog=EXAMPLES
    )
    commands = parser.add_subparsers(
        metavar="synthesize|check|stats|flow|transcode|build", required=True
    )
    for command in (synthesize, check, stats, flow, transcode, build):
        command.add_parser(commands)
