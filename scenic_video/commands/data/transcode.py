"""scenic-video data transcode: small copies of videos that are fast to decode."""

import argparse
from typing import Any

from scenic_video.commands import flags
from scenic_video.commands.console import Terminal
from scenic_video.commands.data.source import add_data, add_workers, counting, open_data
from scenic_video.field_types import Count, Crf, PositiveInt

EXAMPLES = """\
examples:
  scenic-video data transcode videos/train.csv videos/test.csv --out=data/videos_256
  scenic-video data transcode epic.csv --heads=verb,noun --out=epic_320 --short-side=320 --crf=20
"""


def add_parser(commands: Any) -> None:
    """Adds `data transcode`."""
    parser = commands.add_parser(
        "transcode",
        help="make small copies that are fast to decode",
        description="Makes small copies of all videos that are fast to decode, and cuts clips. "
        "statistics.json and optical flow are not copied: run `data stats` and `data flow` on the "
        "copy.",
        epilog=EXAMPLES,
    )
    add_data(parser)
    parser.add_argument("--out", type=flags.path, required=True, help="folder to write")
    parser.add_argument(
        "--short-side", type=flags.number(PositiveInt), default=256, help="pixels (default: 256)"
    )
    parser.add_argument(
        "--gop",
        type=flags.number(PositiveInt),
        default=16,
        help="frames per keyframe (default: 16)",
    )
    parser.add_argument(
        "--crf", type=flags.number(Crf), default=23, help="lower is better quality (default: 23)"
    )
    parser.add_argument(
        "--audio-rate",
        type=flags.number(Count),
        default=16_000,
        help="Hz, or 0 for no audio (default: 16000)",
    )
    add_workers(parser, "processes")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`scenic-video data transcode`; exit code 1 if some videos could not be read."""
    from scenic_video.data.preparation.transcoded import transcode_dataset

    dataset = open_data(arguments)
    with counting("videos") as progress:
        copy = transcode_dataset(
            dataset,
            arguments.out,
            num_workers=arguments.num_workers,
            progress=progress,
            short_side=arguments.short_side,
            gop=arguments.gop,
            crf=arguments.crf,
            audio_rate=arguments.audio_rate or None,
        )
    terminal = Terminal()
    for remark in dataset.remarks:
        terminal.line(remark)
    for result in copy.failed:
        terminal.line(f"left out: {result.error}")
    terminal.line(
        f"{copy.num_written} videos written, {copy.num_kept} kept, {len(copy.failed)} left out. "
        f"In a config: dataset={str(arguments.out)!r}"
    )
    if any(example.flow for examples in dataset.splits.values() for example in examples):
        terminal.line(f"Optical flow was not copied: run `scenic-video data flow {arguments.out}`.")
    return 1 if copy.failed else 0
