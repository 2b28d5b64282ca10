"""scenic-video data stats: what a dataset's spectrograms are normalised by, kept with the data."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scenic_video.atomic_files import require_writable
from scenic_video.commands import flags
from scenic_video.commands.console import Terminal
from scenic_video.commands.data.source import add_data, counting, open_data
from scenic_video.config import ConfigError
from scenic_video.data.examples import Dataset, Example, random_subset, split_of
from scenic_video.field_types import PositiveInt
from scenic_video.modalities.audio import NAME, Audio
from scenic_video.runs.statistics_command import FIELDS

EXAMPLES = """\
examples:
  scenic-video data stats data/synthetic --seconds=1.6
  scenic-video data stats videos/ --split=train --max-examples=20000 --num-mel-bins=64

Writes statistics.json into the folder of the data: of the first manifest, of the benchmark's videos
(`root`), of the records. Runs that train on this very split, all of it or input.num_examples, take
mean and std from there, unless their config sets preprocessing.audio.mean and std. Where that
folder is read-only, --out names another, which runs find by preprocessing.audio.statistics.
"""

REMEDY = (
    "Name another folder by --out=FOLDER, and --config.preprocessing.audio.statistics=FOLDER where "
    "you train."
)


def add_parser(commands: Any) -> None:
    """Adds `data stats`."""
    parser = commands.add_parser(
        "stats", help="measure the audio of a dataset", description=__doc__, epilog=EXAMPLES
    )
    add_data(parser)
    parser.add_argument("--split", default="train", help="split to measure (default: train)")
    parser.add_argument(
        "--max-examples",
        type=flags.number(PositiveInt),
        default=10_000,
        help="at most so many (default: 10000)",
    )
    parser.add_argument(
        "--out", type=flags.path, help="folder for statistics.json (default: that of the data)"
    )
    how = parser.add_argument_group("the spectrogram, as in preprocessing.audio")
    for field in FIELDS:
        flag = "--" + field.name.replace("_", "-")
        how.add_argument(
            flag,
            type=flags.number(field.type),
            default=field.default,
            help=f"default: {field.default}",
        )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measures, prints and keeps the statistics."""
    from scenic_video.data.sources import statistics
    from scenic_video.modalities import audio_statistics

    dataset = open_data(arguments)
    folder = arguments.out or _folder(dataset)
    require_writable(folder, REMEDY)
    split = split_of(dataset, arguments.split)
    examples = _some(split, arguments.max_examples)
    audio = Audio(**{field.name: getattr(arguments, field.name) for field in FIELDS})
    with counting("examples") as progress:
        found = audio_statistics.spectrogram_statistics(examples, audio, progress=progress)
    terminal = Terminal()
    numbers = {name: value for name, value in found.items() if name != "scale"}
    terminal.results(f"Spectrograms of {dataset.name}, {arguments.split}", numbers)
    which = {"dataset": dataset.name, "split": arguments.split}
    which["examples"] = statistics.identity(split)
    path = statistics.write_statistics(folder, NAME, which | found)
    terminal.line(f"Kept in {path}")
    return 0


def _some(examples: Sequence[Example], most: int) -> Sequence[Example]:
    return examples if len(examples) <= most else random_subset(examples, most)


def _folder(dataset: Dataset) -> Path:
    """Where the dataset looks for its statistics."""
    if dataset.folder is None:
        raise ConfigError(
            f"{dataset.name!r} has no folder to keep statistics in. Set preprocessing.audio.mean "
            "and std in the config."
        )
    return Path(dataset.folder)
