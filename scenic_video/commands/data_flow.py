"""scenic-video data flow: the optical flow of a dataset's videos, kept beside them."""

import argparse
from typing import Any

from scenic_video.commands.data_source import add_data, add_workers, counting, open_data
from scenic_video.console import Terminal

EXAMPLES = """\
examples:
  scenic-video data flow videos/
  scenic-video data flow videos/train.csv videos/test.csv --short-side=224 --preset=fast

Writes VIDEO.flow.mp4 beside every video. Runs whose preprocessing.modalities name "flow" read it.
"""


def add_parser(verbs: Any) -> None:
    """Adds the verb `flow` below `data`."""
    parser = verbs.add_parser(
        "flow", help="compute optical flow", description=__doc__, epilog=EXAMPLES
    )
    add_data(parser)
    parser.add_argument("--short-side", type=int, default=256, help="pixels (default: 256)")
    parser.add_argument(
        "--preset",
        choices=("ultrafast", "fast", "medium"),
        default="medium",
        help="of OpenCV's DIS, from fast to accurate (default: medium)",
    )
    add_workers(parser, "processes")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Computes what is missing; exit code 1 if some videos could not be read."""
    from scenic_video.data.flow_writing import write_flow_of

    dataset = open_data(arguments)
    with counting("videos") as progress:
        results = write_flow_of(
            dataset,
            num_workers=arguments.num_workers,
            progress=progress,
            short_side=arguments.short_side,
            preset=arguments.preset,
        )
    terminal = Terminal()
    failed = [result for result in results if result.error]
    for result in failed:
        terminal.line(f"left out: {result.error}")
    written = sum(result.was_written for result in results)
    kept = len(results) - written - len(failed)
    terminal.line(f"Flow of {written} videos written, {kept} kept, {len(failed)} left out.")
    return 1 if failed else 0
