"""Progress of what takes long, on standard error: standard output has only the results."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from io import TextIOBase
from typing import cast

from scenic_video.commands.console import Terminal


def counting(what: str) -> contextlib.AbstractContextManager[Callable[[int, int], None]]:
    """Yields a function to call with the number that is done, and that of all."""
    return Terminal(cast(TextIOBase, sys.stderr)).counting(what)


@contextlib.contextmanager
def downloading(location: str) -> Iterator[Callable[[int, int | None], None]]:
    """Yields a function to call with the bytes that have arrived, and all bytes if known."""
    with counting(f"bytes of {location}") as counted:
        yield lambda arrived, total: counted(arrived, total or arrived)
