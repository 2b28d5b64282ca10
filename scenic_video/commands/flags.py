"""Types of flags: numbers within a range, and paths that are not empty."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scenic_video import type_checks


def number(annotation: Any) -> Callable[[str], Any]:
    """A parser of numbers that fit an annotation of `field_types`."""

    def read(text: str) -> Any:
        for kind in (int, float):
            try:
                value = kind(text)
            except ValueError:
                continue
            if type_checks.fits(value, annotation):
                return value
        wanted = type_checks.describe(annotation)
        raise argparse.ArgumentTypeError(f"got {text!r}; wanted {wanted}.")

    return read


def path(text: str) -> Path:
    """A path; an empty one is refused, since it would mean the working directory."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; give a folder, such as runs/quickstart")
    return Path(text)


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Adds --trust."""
    parser.add_argument(
        "--trust",
        action="store_true",
        help="run code that a workdir names, even outside scenic_video and projects",
    )
