"""scenic-video weights convert: writes a checkpoint or a run in the format of another library."""

import argparse
from typing import Any

from scenic_video.commands import flags
from scenic_video.commands.console import Terminal
from scenic_video.commands.weights.progress import counting, downloading
from scenic_video.commands.weights.sizes import add_sizes
from scenic_video.config import ConfigError

PUSHED = "hf-safetensors"
FORMATS = ("scenic", "npz", "hf-safetensors", "videomae-pth", "orbax")

EXAMPLES = """\
examples:
  scenic-video weights convert runs/mine --to npz mine.npz
  scenic-video weights convert hf:google/vivit-b-16x2-kinetics400 --to scenic vivit_b16x2
  scenic-video weights convert runs/mine --to hf-safetensors mine/
  scenic-video weights convert runs/mine --to hf-safetensors mine/ --push hf:org/mine

  scenic          Flax msgpack {"params": ...}, in Scenic's names
  npz             plain ViTs, in the names of AugReg or big_vision
  hf-safetensors  a folder for from_pretrained: config, preprocessor, class names, model card
  videomae-pth    a state dict of VideoMAE
  orbax           a folder {"params": ...}, in Scenic's names

Values and dtypes are kept bit for bit, and what was written is read again before it appears.
"""


def add_parser(commands: Any) -> None:
    """Adds `weights convert`."""
    parser = commands.add_parser(
        "convert", help="write another format", description=__doc__, epilog=EXAMPLES
    )
    parser.add_argument("location", help="file, folder, run or address of a checkpoint")
    parser.add_argument("out", type=flags.path, help="file or folder to write")
    parser.add_argument("--to", required=True, choices=FORMATS, help="the format; see below")
    parser.add_argument(
        "--last",
        action="store_true",
        help="of a run, take the parameters themselves, not their average (EMA)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is at OUT")
    parser.add_argument(
        "--push",
        metavar="hf:ORG/NAME",
        help="also upload the folder of hf-safetensors; a new repository is private",
    )
    add_sizes(parser)
    flags.add_trust(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Writes the file or folder, and prints what it holds."""
    from scenic_video.weights.built_model import with_inputs
    from scenic_video.weights.writing import conversion, hub
    from scenic_video.weights.writing.output import check_free

    out, overwrite = arguments.out, arguments.overwrite
    check_free(out, overwrite=overwrite)
    _check_push(arguments)
    with downloading(arguments.location) as progress:
        weights = conversion.read_whole(
            arguments.location,
            averaged=not arguments.last,
            trust=arguments.trust,
            progress=progress,
        )
    weights = with_inputs(weights, dict(arguments.size))
    with counting("arrays checked") as checking:
        written = conversion.write(
            weights, out, arguments.to, overwrite=overwrite, checking=checking
        )
    terminal = Terminal()
    for note in written.notes:
        terminal.line(f"note: {note}")
    terminal.line(
        f"{written.path}: {written.num_arrays} arrays, {written.num_bytes:,} bytes, in the names "
        f"of {written.family}; read again, and equal bit for bit."
    )
    if arguments.push:
        terminal.line(f"Uploaded: {hub.upload(out, arguments.push)}")
    return 0


def _check_push(arguments: argparse.Namespace) -> None:
    """Refuses, before anything is written, what could not be uploaded."""
    if not arguments.push:
        return
    if arguments.to != PUSHED:
        raise ConfigError(f"--push uploads a folder of {PUSHED}; use it with --to {PUSHED}.")
    from scenic_video.weights.writing.hub import check_upload

    check_upload(arguments.push)
