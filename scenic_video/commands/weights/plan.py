"""scenic-video weights plan: where each parameter of a config would come from."""

import argparse
import json
import sys
from io import TextIOBase
from typing import Any, cast

from scenic_video.commands.console import Terminal

EXAMPLES = """\
examples:
  scenic-video weights plan vit_b16.npz --config=configs/vivit/kinetics400_joint_base.py
  scenic-video weights plan runs/other --config=configs/quickstart.py --config.init.head=new

The config's own `init` says how weights are transferred. What a run would refuse is the same error
here. The data of the config may be missing.
"""


def add_parser(commands: Any) -> None:
    """Adds `weights plan`."""
    parser = commands.add_parser(
        "plan", help="what would be loaded", description=__doc__, epilog=EXAMPLES
    )
    parser.usage = "%(prog)s FILE [FILE ...] --config=FILE [--config.FIELD=VALUE ...] [--json]"
    parser.add_argument(
        "sources",
        metavar="FILE",
        nargs="+",
        help="checkpoint or run; several for models that start from several",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run, takes_config=True)


def run(arguments: argparse.Namespace) -> int:
    """Prints the report of the load."""
    from scenic_video.commands.configs import load_config
    from scenic_video.runs.initialization.planning import plan_start

    config = load_config(arguments.config_arguments).to_dict()
    errors = Terminal(cast(TextIOBase, sys.stderr))
    found = plan_start(config, arguments.sources, errors)
    if arguments.json:
        print(json.dumps(found.to_json(), indent=2, default=str))
    else:
        terminal = Terminal()
        for line in found.table.splitlines():
            terminal.line(line)
    return 0
