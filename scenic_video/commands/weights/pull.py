"""scenic-video weights pull: downloads a public checkpoint and checks it."""

import argparse
from pathlib import Path
from typing import Any

from scenic_video.commands.console import Terminal
from scenic_video.commands.weights.progress import downloading

EXAMPLES = """\
examples:
  scenic-video weights pull vit-b16-imagenet21k
  scenic-video weights pull vivit-b-kinetics400 --out=downloads

Training from --config.init.path=NAME reads the file that was pulled; it never downloads by itself.
Files are kept in $SCENIC_VIDEO_CACHE, or in the user's cache folder.
"""


def add_parser(commands: Any) -> None:
    """Adds `weights pull`."""
    parser = commands.add_parser(
        "pull", help="download a public checkpoint", description=__doc__, epilog=EXAMPLES
    )
    parser.add_argument("name", help="a name of `scenic-video weights list`")
    parser.add_argument("--out", type=Path, help="another folder than the cache")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints where the file is, and how far it was checked."""
    from scenic_video.weights.locations.pulling import pull
    from scenic_video.weights.registry.registry import find

    checkpoint = find(arguments.name)
    with downloading(checkpoint.name) as progress:
        pulled = pull(checkpoint, folder=arguments.out, progress=progress)
    terminal = Terminal()
    origin = f"downloaded from {pulled.address}" if pulled.address else "it was there already"
    terminal.line(f"{pulled.path}  {pulled.num_bytes:,} bytes, {origin}")
    if checkpoint.sha256 is None:
        terminal.line(f"SHA-256 {pulled.sha256}; that of the published file is not known.")
    else:
        terminal.line(f"SHA-256 {pulled.sha256}, as published.")
    return 0
