"""scenic-video data stats: measures mean and std of spectrograms, for their normalisation."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

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

Writes statistics.json to the folder of the data: that of the first manifest, of the videos (`root`)
of a published data set, or of the records. Runs that train on this split, or on input.num_examples
of it, take mean and std from there, unless their config sets preprocessing.audio.mean and std. If
that folder is read-only, write to another with --out, and set preprocessing.audio.statistics to it.
"""

REMEDY = (
    "Give another folder with --out=FOLDER, and train with "
    "--config.preprocessing.audio.statistics=FOLDER."
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
        help="measure at most this many (default: 10000)",
    )
    parser.add_argument(
        "--out", type=flags.path, help="folder for statistics.json (default: the data's)"
    )
    spectrogram = parser.add_argument_group("the spectrogram, as in preprocessing.audio")
    for field in FIELDS:
        flag = "--" + field.name.replace("_", "-")
        spectrogram.add_argument(
            flag,
            type=str if isinstance(field.default, str) else flags.number(field.type),
            choices=get_args(field.type) if isinstance(field.default, str) else None,
            default=field.default,
            help=f"default: {field.default}",
        )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measures, prints and writes the statistics."""
    from scenic_video.data.sources import statistics
    from scenic_video.data.sources.fingerprint import examples_fingerprint
    from scenic_video.modalities import audio_statistics

    dataset = open_data(arguments)
    folder = arguments.out or _folder(dataset)
    require_writable(folder, REMEDY)
    split = split_of(dataset, arguments.split)
    examples = _at_most(split, arguments.max_examples)
    audio = Audio(**{field.name: getattr(arguments, field.name) for field in FIELDS})
    with counting("examples") as progress:
        found = audio_statistics.spectrogram_statistics(examples, audio, progress=progress)
    terminal = Terminal()
    numbers = {name: value for name, value in found.items() if name != "scale"}
    terminal.results(f"Spectrograms of {dataset.name}, {arguments.split}", numbers)
    source = {"dataset": dataset.name, "split": arguments.split}
    source["examples"] = examples_fingerprint(split)
    path = statistics.write_statistics(folder, NAME, source | found)
    terminal.line(f"Written to {path}")
    return 0


def _at_most(examples: Sequence[Example], number: int) -> Sequence[Example]:
    return examples if len(examples) <= number else random_subset(examples, number)


def _folder(dataset: Dataset) -> Path:
    """The folder that runs read the statistics of the dataset from."""
    if dataset.folder is None:
        raise ConfigError(
            f"{dataset.name!r} has no folder for statistics. Set preprocessing.audio.mean "
            "and std in the config."
        )
    return Path(dataset.folder)
