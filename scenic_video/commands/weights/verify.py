"""scenic-video weights verify: whether a checkpoint gives the outputs of another, or those that are
published."""

import argparse
from typing import Any

from scenic_video.commands import flags
from scenic_video.commands.console import Terminal
from scenic_video.commands.weights.progress import counting, downloading
from scenic_video.commands.weights.sizes import add_sizes
from scenic_video.config import ConfigError
from scenic_video.field_types import NonNegative, PositiveInt, Seed

TOLERANCE = 1e-4

EXAMPLES = """\
examples:
  scenic-video weights verify vit_b16.npz exported/
  scenic-video weights verify runs/mine hf:org/mine --tolerance=1e-3
  scenic-video weights verify vivit-b-kinetics400

Both models are built from their files and get the same random inputs. A public checkpoint alone is
compared with its reference logits in the registry. Exit code 1 if outputs differ by more than the
tolerance.
"""


def add_parser(commands: Any) -> None:
    """Adds `weights verify`."""
    parser = commands.add_parser(
        "verify", help="compare two checkpoints", description=__doc__, epilog=EXAMPLES
    )
    parser.add_argument("first", help="file, folder, run, address or name of a checkpoint")
    parser.add_argument("second", nargs="?", help="another one of the same model, in any format")
    parser.add_argument(
        "--tolerance",
        type=flags.number(NonNegative),
        help="largest absolute difference of logits, or of features without a head (default: "
        f"{TOLERANCE:g}, or that of the reference logits)",
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
    parser.add_argument(
        "--frames", help="the clip of the reference logits, .npy (default: downloaded)"
    )
    add_sizes(parser)
    flags.add_trust(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the differences; exit code 1 if they are above the tolerance."""
    if arguments.second is None:
        return _with_reference(arguments)
    if arguments.frames:
        raise ConfigError("--frames is for reference logits; two checkpoints get random inputs.")
    from scenic_video.weights.agreement import compare

    names = (arguments.first, arguments.second)
    first, second = (_read(name, arguments) for name in names)
    with counting("models run") as done:
        found = compare(
            first,
            second,
            names=names,
            num_inputs=arguments.inputs,
            seed=arguments.seed,
            done=done,
        )
    terminal = Terminal()
    terminal.table(f"{names[0]} and {names[1]}", ("what", "value"), found.rows())
    for difference in found.differences:
        terminal.line(f"note: {difference}")
    return _verdict(terminal, found.outputs, found.largest, _given(arguments.tolerance, TOLERANCE))


def _with_reference(arguments: argparse.Namespace) -> int:
    """Compares a public checkpoint with its reference logits."""
    from scenic_video.weights.reference import check_reference
    from scenic_video.weights.registry.registry import find

    checkpoint = find(arguments.first)
    weights = _read(arguments.first, arguments)
    with downloading("the reference clip") as progress:
        found = check_reference(checkpoint, weights, frames=arguments.frames, progress=progress)
    terminal = Terminal()
    terminal.table(f"{checkpoint.name}, logits", ("class", "stated", "found"), found.rows())
    terminal.line(f"Stated by {found.reference.source}. {found.reference.note}".rstrip())
    tolerance = _given(arguments.tolerance, found.reference.tolerance)
    return _verdict(terminal, "logits", found.largest, tolerance)


def _read(name: str, arguments: argparse.Namespace) -> Any:
    from scenic_video.weights.built_model import with_inputs
    from scenic_video.weights.reading import read_weights

    with downloading(name) as progress:
        weights = read_weights(name, trust=arguments.trust, progress=progress)
    return with_inputs(weights, dict(arguments.size))


def _verdict(terminal: Terminal, outputs: str, largest: float, tolerance: float | int) -> int:
    agrees = largest <= tolerance
    words = "The same" if agrees else "Not the same"
    terminal.line(f"{words} {outputs}: they differ by {largest:.3g}; allowed is {tolerance:g}.")
    return 0 if agrees else 1


def _given(tolerance: float | int | None, default: float) -> float | int:
    return default if tolerance is None else tolerance
