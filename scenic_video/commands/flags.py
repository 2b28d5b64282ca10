"""Types of flags: numbers within their range, paths that name something."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scenic_video import type_checks


def number(annotation: Any) -> Callable[[str], Any]:
    """Reads what an annotation of `field_types` wants."""

    def read(text: str) -> Any:
        for kind in (int, float):
            try:
                value = kind(text)
            except ValueError:
                continue
            if type_checks.fits(value, annotation):
                return value
        wanted = type_checks.words(annotation)
        raise argparse.ArgumentTypeError(f"got {text!r}; wanted {wanted}.")

    return read


def path(text: str) -> Path:
    """An empty name would mean the folder that one stands in."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it names no folder; give one, such as runs/quickstart")
    return Path(text)


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Adds --trust."""
    parser.add_argument(
        "--trust",
        action="store_true",
        help="run code that a workdir names outside of scenic_video and projects",
    )
