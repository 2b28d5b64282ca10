"""Keeps what Orbax says of an error that we raise off the terminal."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any


def is_news(record: logging.LogRecord) -> bool:
    """False for the many tracebacks that Orbax logs of one failed save, which we raise."""
    return not (record.exc_info and "orbax" in record.pathname)


@contextlib.contextmanager
def quiet_if_it_fails() -> Iterator[None]:
    """Keeps the pages that Orbax's other reads would print, once one has failed, off the terminal.

    They outlive their event loop and end one by one, some of them much later; so the filter stays.
    """
    hook = sys.unraisablehook

    def report(unraisable: Any) -> None:
        coroutine = getattr(unraisable.object, "__qualname__", "")
        if str(unraisable.exc_value) != "Event loop is closed" and "_read_" not in coroutine:
            hook(unraisable)

    sys.unraisablehook = report
    yield
    sys.unraisablehook = hook
