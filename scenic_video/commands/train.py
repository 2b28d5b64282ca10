"""scenic-video train: trains a model from a config, evaluates it and writes a report."""

import argparse
from typing import Any

import jax

from scenic_video.commands import distributed, dry_run, flags
from scenic_video.commands.configs import load_config
from scenic_video.commands.console import Terminal
from scenic_video.commands.results import show_result
from scenic_video.config import ConfigError
from scenic_video.runs.training import Outcome, train

PREEMPTED = 75

EXAMPLES = (
    """\
examples:
  scenic-video train --config=configs/quickstart.py --workdir=runs/quickstart
  scenic-video train --config=configs/quickstart.py --workdir=runs/wide \\
      --config.model.hidden_size=96 --config.trainer.num_epochs=20
  scenic-video train --config=configs/vivit/kinetics400_factorised_encoder_base.py --dry-run

The same command on the same workdir resumes; SIGTERM saves and exits with code 75.

"""
    + distributed.EXAMPLES
)


def add_parser(subparsers: Any) -> None:
    """Adds the command `train`."""
    parser = subparsers.add_parser(
        "train", help="train a model and evaluate it", epilog=EXAMPLES, description=__doc__
    )
    parser.add_argument(
        "--workdir", type=flags.path, help="folder of the run; an unfinished run in it is resumed"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the resolved config, shapes, parameters, GFLOPs, steps and rates, and stop",
    )
    distributed.add_flags(parser)
    parser.usage = "%(prog)s --config=FILE --workdir=DIR [--config.FIELD=VALUE ...] [--dry-run]"
    parser.set_defaults(run=run, takes_config=True)


def run(arguments: argparse.Namespace) -> int:
    config = load_config(arguments.config_arguments).to_dict()
    distributed.join(arguments)
    if not arguments.dry_run and arguments.workdir is None:
        raise ConfigError("There is no workdir. Give --workdir=DIR, such as runs/quickstart.")
    terminal = Terminal(quiet=jax.process_index() != 0)
    if arguments.dry_run:
        dry_run.show(config, terminal)
        return 0
    return _show(train(config, arguments.workdir, reporter=terminal), terminal)


def _show(outcome: Outcome, terminal: Terminal) -> int:
    """Prints the outcome of training; returns the exit code."""
    if not outcome.is_complete:
        terminal.line(f"Stopped at step {outcome.step}, saved. Run the same command to continue.")
        return PREEMPTED
    for name, path in outcome.files.items():
        show_result(outcome.results[name], name, path, terminal)
    if outcome.report is not None:
        terminal.line(f"Report: {outcome.report}")
    return 0
