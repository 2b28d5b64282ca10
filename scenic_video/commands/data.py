"""scenic-video data: makes, checks, converts and packs datasets."""

import argparse
import json
from typing import Any

from scenic_video.commands import data_flow, data_stats, flags
from scenic_video.commands.data_source import add_data, add_workers, counting, open_data
from scenic_video.console import Terminal
from scenic_video.field_types import Count, Crf, PositiveInt, Seed

EXAMPLES = """\
examples:
  scenic-video data synthesize --out=data/synthetic --clips=1000
  scenic-video data check data/synthetic
  scenic-video data stats data/synthetic --seconds=1.6
  scenic-video data transcode videos/train.csv videos/test.csv --out=data/videos_256
  scenic-video data build data/videos_256 --out=data/videos_records
"""

SYNTHESIZE_EXAMPLES = """\
example:
  scenic-video data synthesize --out=data/synthetic --clips=1000 --seed=0
"""

CHECK_EXAMPLES = """\
examples:
  scenic-video data check videos/train.csv videos/test.csv
  scenic-video data check videos/epic.csv --heads=verb,noun --json=report.json
  scenic-video data check data/videos_records --strict && echo "all files can be read"
"""

TRANSCODE_EXAMPLES = """\
examples:
  scenic-video data transcode videos/train.csv videos/test.csv --out=data/videos_256
  scenic-video data transcode epic.csv --heads=verb,noun --out=epic_320 --short-side=320 --crf=20
"""

BUILD_EXAMPLES = """\
examples:
  scenic-video data build videos/train.csv videos/test.csv --out=data/videos_records
  scenic-video data build folders_of_classes --out=records --num-shards=64 --flip-unsafe
"""


def add_parser(subparsers: Any) -> None:
    """Adds the verb `data` and the verbs below it."""
    parser = subparsers.add_parser(
        "data", help="make, check, convert and pack datasets", description=__doc__, epilog=EXAMPLES
    )
    verbs = parser.add_subparsers(
        metavar="synthesize|check|stats|flow|transcode|build", required=True
    )
    _add_synthesize(verbs)
    _add_check(verbs)
    data_stats.add_parser(verbs)
    data_flow.add_parser(verbs)
    _add_transcode(verbs)
    _add_build(verbs)


def _add_synthesize(verbs: Any) -> None:
    parser = verbs.add_parser(
        "synthesize",
        help="make clips of actions, out of nothing",
        description="Makes mp4 files of ten actions that only time tells apart, with audio.",
        epilog=SYNTHESIZE_EXAMPLES,
    )
    parser.add_argument("--out", type=flags.path, required=True, help="folder to write")
    parser.add_argument(
        "--clips",
        type=flags.number(PositiveInt),
        required=True,
        help="number of clips, test included",
    )
    parser.add_argument(
        "--seed", type=flags.number(Seed), default=0, help="other seeds, other clips (default: 0)"
    )
    add_workers(parser, "processes")
    parser.set_defaults(run=synthesize)


def _add_check(verbs: Any) -> None:
    parser = verbs.add_parser(
        "check",
        help="open every file and report what is wrong",
        description="Opens every file of a dataset and reports what training would stumble over.",
        epilog=CHECK_EXAMPLES,
    )
    add_data(parser)
    parser.add_argument(
        "--json", type=flags.path, metavar="FILE", help="write the whole report there"
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit code 1 if a file is unreadable or damaged"
    )
    parser.add_argument(
        "--decode", action="store_true", help="decode every frame of every file, which takes long"
    )
    add_workers(parser, "threads")
    parser.set_defaults(run=check)


def _add_transcode(verbs: Any) -> None:
    parser = verbs.add_parser(
        "transcode",
        help="make small copies that are fast to decode",
        description="Makes small copies of all videos that are fast to decode, and cuts clips. "
        "statistics.json and optical flow are not copied: run `data stats` and `data flow` on the "
        "copy.",
        epilog=TRANSCODE_EXAMPLES,
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
        help="frames to a keyframe (default: 16)",
    )
    parser.add_argument(
        "--crf", type=flags.number(Crf), default=23, help="lower is better (default: 23)"
    )
    parser.add_argument(
        "--audio-rate",
        type=flags.number(Count),
        default=16_000,
        help="Hz; 0: no audio (default: 16000)",
    )
    add_workers(parser, "processes")
    parser.set_defaults(run=transcode)


def _add_build(verbs: Any) -> None:
    parser = verbs.add_parser(
        "build",
        help="pack a dataset into few large files",
        description="Packs encoded videos and labels into TFDS records (ArrayRecord), unchanged.",
        epilog=BUILD_EXAMPLES,
    )
    add_data(parser)
    parser.add_argument(
        "--out", type=flags.path, required=True, help="folder to write, new or empty"
    )
    parser.add_argument("--name", help="name of the dataset (default: the source's)")
    parser.add_argument(
        "--num-shards", type=flags.number(PositiveInt), help="files a split (default: by size)"
    )
    parser.set_defaults(run=build)


def synthesize(arguments: argparse.Namespace) -> int:
    """`scenic-video data synthesize`."""

    from scenic_video.data import synthetic

    with counting("clips") as progress:
        folder = synthetic.synthesize(
            arguments.out,
            num_clips=arguments.clips,
            seed=arguments.seed,
            num_workers=arguments.num_workers,
            progress=progress,
        )
    Terminal().line(f"{arguments.clips} clips are in {folder}: train.csv, test.csv.")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """`scenic-video data check`; exit code 1 if --strict and some file is unreadable or damaged."""
    from scenic_video.data.preparation import checking

    dataset = open_data(arguments)
    with counting("examples") as progress:
        report = checking.check(
            dataset,
            num_workers=arguments.num_workers,
            decode_all=arguments.decode,
            progress=progress,
        )
    terminal = Terminal()
    for title, columns, rows in report.tables():
        terminal.table(title, columns, rows)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report.to_json(), indent=2) + "\n")
        terminal.line(f"The whole report is in {arguments.json}.")
    terminal.line(report.verdict())
    return 1 if arguments.strict and (report.unreadable or report.damaged) else 0


def transcode(arguments: argparse.Namespace) -> int:
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


def build(arguments: argparse.Namespace) -> int:
    """`scenic-video data build`."""
    from scenic_video.data.preparation import records

    dataset = open_data(arguments)
    with counting("examples") as progress:
        folder = records.build_tfds(
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
