"""scenic-video data flow: computes optical flow and stores it beside the videos."""

import argparse
from typing import Any

from scenic_video.commands import flags
from scenic_video.commands.console import Terminal
from scenic_video.commands.data.source import add_data, add_workers, counting, open_data
from scenic_video.field_types import PositiveInt

EXAMPLES = """\
examples:
  scenic-video data flow videos/
  scenic-video data flow videos/train.csv videos/test.csv --short-side=224 --preset=fast

Writes VIDEO.flow.mp4 beside every video, for runs with "flow" in preprocessing.modalities. If the
folder of the videos is read-only, write to another with --out, and set preprocessing.flow.folder to
it. A second call computes only what is missing or belongs to a video that has changed since.
"""

MAX_NAMED = 20
"""Videos that are left out and named; the others are only counted."""


def add_parser(commands: Any) -> None:
    """Adds `data flow`."""
    parser = commands.add_parser(
        "flow", help="compute optical flow", description=__doc__, epilog=EXAMPLES
    )
    add_data(parser)
    parser.add_argument(
        "--out", type=flags.path, help="folder for the flow (default: beside each video)"
    )
    parser.add_argument(
        "--short-side", type=flags.number(PositiveInt), default=256, help="pixels (default: 256)"
    )
    parser.add_argument(
        "--preset",
        choices=("ultrafast", "fast", "medium"),
        default="medium",
        help="preset of OpenCV's DIS, from fast to accurate (default: medium)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="recompute flow that has other settings or was not computed by this command; never "
        "replaces the files in a manifest's column flow",
    )
    add_workers(parser, "processes")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Computes what is missing or outdated; exit code 1 if some videos are left out."""
    from scenic_video.data.preparation.flow import write_flow_of

    dataset = open_data(arguments)
    with counting("videos") as progress:
        results = write_flow_of(
            dataset,
            folder=arguments.out,
            num_workers=arguments.num_workers,
            progress=progress,
            short_side=arguments.short_side,
            preset=arguments.preset,
            overwrite=arguments.overwrite,
        )
    terminal = Terminal()
    failed = [result for result in results if result.error]
    for result in failed[:MAX_NAMED]:
        terminal.line(f"left out: {result.error}")
    if len(failed) > MAX_NAMED:
        terminal.line(f"left out: {len(failed) - MAX_NAMED} more")
    written = sum(result.was_written for result in results)
    kept = len(results) - written - len(failed)
    terminal.line(f"Flow of {written} videos written, {kept} kept, {len(failed)} left out.")
    return 1 if failed else 0
