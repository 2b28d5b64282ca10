"""The arguments of commands that read a dataset, and their progress bar."""

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from io import TextIOBase
from pathlib import Path
from typing import cast

from scenic_video.commands import flags
from scenic_video.commands.console import Terminal
from scenic_video.data.examples import Dataset
from scenic_video.data.sources import datasets
from scenic_video.errors import UserError
from scenic_video.field_types import Count, PositiveInt

DATA_HELP = (
    "manifests (.csv, .tsv, .jsonl; each is a split named by its stem), or a config node (.json), "
    "or one folder: of manifests, of TFDS records, or of classes"
)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that `open_data` reads."""
    parser.add_argument("data", nargs="+", metavar="DATA", help=DATA_HELP)
    of_manifests = parser.add_argument_group("how manifests are read")
    of_manifests.add_argument("--root", help="folder of relative paths (default: the manifest's)")
    of_manifests.add_argument("--heads", type=_names, help="columns with labels (default: all)")
    of_manifests.add_argument("--classes", help="file of class names, one per line")
    of_manifests.add_argument(
        "--multilabel", action="store_true", help="cells may hold several labels, as in a|b"
    )
    of_manifests.add_argument(
        "--flip-unsafe", action="store_true", help="a flipped clip may have another label"
    )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def open_data(arguments: argparse.Namespace) -> Dataset:
    """The dataset that the arguments of `add_data` name."""
    given = {name: getattr(arguments, name) for name in ("root", "heads", "classes", "multilabel")}
    options = {name: value for name, value in given.items() if value}
    if len(arguments.data) == 1:
        dataset = datasets.open_dataset(arguments.data[0], **options)
    else:
        dataset = datasets.manifest(_splits(arguments.data), **options)
    return dataclasses.replace(dataset, flip_safe=False) if arguments.flip_unsafe else dataset


def _splits(manifests: Sequence[str]) -> dict[str, str]:
    splits = {Path(name).stem: name for name in manifests}
    if len(splits) < len(manifests):
        raise UserError(
            f"{' and '.join(manifests)}: each manifest is a split named by its stem, so their "
            "stems must differ."
        )
    return splits


def add_workers(parser: argparse.ArgumentParser, what: str) -> None:
    """Adds --num-workers, of `what`: "threads", or "processes" (0: only this one)."""
    parser.add_argument(
        "--num-workers",
        type=flags.number(Count if what == "processes" else PositiveInt),
        default=os.cpu_count() or 1,
        help=f"number of {what} (default: one per core)",
    )


def counting(what: str) -> AbstractContextManager[Callable[[int, int], None]]:
    """A progress bar on standard error, so that standard output has only the results."""
    return Terminal(cast(TextIOBase, sys.stderr)).counting(what)
