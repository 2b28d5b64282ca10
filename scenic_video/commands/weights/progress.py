"""Progress of what takes long, on standard error: standard output has only the results."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from io import TextIOBase
from typing import cast

from scenic_video.commands.console import Terminal


@contextlib.contextmanager
def downloading(location: str) -> Iterator[Callable[[int, int | None], None]]:
    """Yields a function to call with the bytes that have arrived, and all bytes if known."""
    terminal = Terminal(cast(TextIOBase, sys.stderr))
    with terminal.counting(f"bytes of {location}") as counted:
        yield lambda arrived, total: counted(arrived, total or arrived)
