"""scenic-video diagnose: why a trained run is at chance, or better than it should be."""

import argparse
import json
from typing import Any

from scenic_video.commands import flags
from scenic_video.commands.console import Terminal
from scenic_video.field_types import PositiveInt
from scenic_video.runs.diagnosis.diagnose import diagnose

EXAMPLES = """\
examples:
  scenic-video diagnose --workdir=runs/mine
  scenic-video diagnose --workdir=runs/mine --data=videos/test.csv --clips=1000

Checks whether a permutation of the labels explains the confusions, whether channels or the range of
pixels look wrong, whether weights still have their first values, and whether splits share files.
Exit code 1 if a fault is found.
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command `diagnose`."""
    parser = subparsers.add_parser(
        "diagnose", help="find out what is wrong", epilog=EXAMPLES, description=__doc__
    )
    parser.add_argument("--workdir", type=flags.path, required=True, help="folder of a trained run")
    parser.add_argument("--data", help="dataset to use instead of the config's")
    parser.add_argument("--split", help="split to evaluate (default: the config's)")
    parser.add_argument(
        "--clips",
        type=flags.number(PositiveInt),
        help="number of random clips to evaluate (default: 256, or 5 per class if more)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per check")
    flags.add_trust(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints a table of the findings; exit code 1 if there is a fault."""
    terminal = Terminal(quiet=arguments.json)
    findings = diagnose(
        arguments.workdir,
        data=arguments.data,
        split=arguments.split,
        num_clips=arguments.clips,
        trust=arguments.trust,
        reporter=terminal,
    )
    for finding in findings if arguments.json else ():
        print(json.dumps({**vars(finding), "is_fault": finding.is_fault}))
    columns = ("check", "finding", "what to do")
    terminal.table(str(arguments.workdir), columns, [finding.row for finding in findings])
    faults = sum(finding.is_fault for finding in findings)
    terminal.line(f"{faults} faults found." if faults else "No fault found.")
    return 1 if faults else 0
