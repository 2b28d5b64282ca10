"""scenic-video data check: opens every file and reports what is wrong."""

import argparse
import json
from typing import Any

from scenic_video.commands import flags
from scenic_video.commands.console import Terminal
from scenic_video.commands.data.source import add_data, add_workers, counting, open_data
from scenic_video.config import ConfigError

EXAMPLES = """\
examples:
  scenic-video data check videos/train.csv videos/test.csv
  scenic-video data check videos/epic.csv --heads=verb,noun --json=report.json
  scenic-video data check data/videos_records --strict && echo "all files can be read"
"""


def add_parser(commands: Any) -> None:
    """Adds `data check`."""
    parser = commands.add_parser(
        "check",
        help="open every file and report what is wrong",
        description="Opens every file of a dataset and reports what training could not use.",
        epilog=EXAMPLES,
    )
    add_data(parser)
    parser.add_argument(
        "--json", type=flags.path, metavar="FILE", help="write the full report to this file"
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with code 1 if a file is unreadable or damaged"
    )
    parser.add_argument(
        "--decode", action="store_true", help="decode every frame of every file, which is slow"
    )
    parser.add_argument(
        "--modality",
        action="append",
        default=[],
        metavar="NAME=TARGET",
        help="also check the files of a modality of your own, such as depth=my_package.depth:Depth",
    )
    add_workers(parser, "threads")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`scenic-video data check`; exit code 1 if --strict and some file is unreadable or damaged."""
    from scenic_video.data.input.modality import built
    from scenic_video.data.preparation import checking
    from scenic_video.modalities.names import BUILT_IN

    own = dict(map(_node, arguments.modality))

    dataset = open_data(arguments)
    with counting("examples") as progress:
        report = checking.check(
            dataset,
            num_workers=arguments.num_workers,
            decode_all=arguments.decode,
            modalities=built((*BUILT_IN, *own), own),
            progress=progress,
        )
    terminal = Terminal()
    for title, columns, rows in report.tables():
        terminal.table(title, columns, rows)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report.to_json(), indent=2) + "\n")
        terminal.line(f"The full report is in {arguments.json}.")
    terminal.line(report.verdict())
    return 1 if arguments.strict and (report.unreadable or report.damaged) else 0


def _node(text: str) -> tuple[str, dict[str, str]]:
    """The name and the node of a modality written NAME=TARGET."""
    name, equals, target = text.partition("=")
    if not (name and equals and target):
        raise ConfigError(
            f"--modality={text} must be NAME=TARGET, such as depth=my_package.depth:Depth."
        )
    return name, {"target": target}
