"""scenic-video data build: packs a dataset into a few large files."""

import argparse
from typing import Any

from scenic_video.commands import flags
from scenic_video.commands.console import Terminal
from scenic_video.commands.data.source import add_data, counting, open_data
from scenic_video.field_types import PositiveInt

EXAMPLES = """\
examples:
  scenic-video data build videos/train.csv videos/test.csv --out=data/videos_records
  scenic-video data build folders_of_classes --out=records --num-shards=64 --flip-unsafe
"""


def add_parser(commands: Any) -> None:
    """Adds `data build`."""
    parser = commands.add_parser(
        "build",
        help="pack a dataset into a few large files",
        description="Packs encoded videos and labels into TFDS records (ArrayRecord), unchanged.",
        epilog=EXAMPLES,
    )
    add_data(parser)
    parser.add_argument(
        "--out", type=flags.path, required=True, help="folder to write, new or empty"
    )
    parser.add_argument("--name", help="name of the dataset (default: the source's)")
    parser.add_argument(
        "--num-shards", type=flags.number(PositiveInt), help="files per split (default: by size)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`scenic-video data build`."""
    from scenic_video.data.preparation import tfds_writer

    dataset = open_data(arguments)
    with counting("examples") as progress:
        folder = tfds_writer.build_tfds(
            dataset,
            arguments.out,
            name=arguments.name,
            num_shards=arguments.num_shards,
            progress=progress,
        )
    splits = ", ".join(f"{len(examples)} {name}" for name, examples in dataset.splits.items())
    terminal = Terminal()
    for remark in dataset.remarks:
        terminal.line(remark)
    terminal.line(f"{folder} holds {splits}. In a config: dataset={str(folder)!r}")
    return 0
