"""scenic-video weights verify: whether two checkpoints give the same outputs."""

import argparse
from typing import Any

from scenic_video.commands import flags
from scenic_video.commands.console import Terminal
from scenic_video.commands.weights.progress import downloading
from scenic_video.field_types import NonNegative, PositiveInt, Seed

EXAMPLES = """\
examples:
  scenic-video weights verify vit_b16.npz exported/
  scenic-video weights verify runs/mine hf:org/mine --tolerance=1e-3

Both models are built from their files and get the same random inputs. Exit code 1 if outputs differ
by more than the tolerance.
"""


def add_parser(commands: Any) -> None:
    """Adds `weights verify`."""
    parser = commands.add_parser(
        "verify", help="compare two checkpoints", description=__doc__, epilog=EXAMPLES
    )
    parser.add_argument("first", help="file, folder, run or address of a checkpoint")
    parser.add_argument("second", help="another one of the same model, in any format")
    parser.add_argument(
        "--tolerance",
        type=flags.number(NonNegative),
        default=1e-4,
        help="largest absolute difference of logits, or of features without a head (default: 1e-4)",
    )
    parser.add_argument(
        "--inputs",
        type=flags.number(PositiveInt),
        default=2,
        help="number of random inputs (default: 2)",
    )
    parser.add_argument(
        "--seed", type=flags.number(Seed), default=0, help="seed of the inputs (default: 0)"
    )
    flags.add_trust(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the differences; exit code 1 if they are above the tolerance."""
    from scenic_video.weights.agreement import compare
    from scenic_video.weights.reading import read_weights

    names = (arguments.first, arguments.second)
    weights = []
    for name in names:
        with downloading(name) as progress:
            weights.append(read_weights(name, trust=arguments.trust, progress=progress))
    found = compare(*weights, names=names, num_inputs=arguments.inputs, seed=arguments.seed)
    terminal = Terminal()
    terminal.table(f"{names[0]} and {names[1]}", ("what", "value"), found.rows())
    for difference in found.differences:
        terminal.line(f"note: {difference}")
    agrees = found.largest <= arguments.tolerance
    verdict = "The same" if agrees else "Not the same"
    terminal.line(f"{verdict} {found.outputs}, within {arguments.tolerance:g}.")
    return 0 if agrees else 1
