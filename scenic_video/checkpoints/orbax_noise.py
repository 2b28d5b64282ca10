"""Hides the messages of Orbax on errors that are raised here."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any


def is_news(entry: logging.LogRecord) -> bool:
    """False for the tracebacks that Orbax logs for a failed save, which is raised here."""
    return not (entry.exc_info and "orbax" in entry.pathname)


@contextlib.contextmanager
def quiet_if_it_fails() -> Iterator[None]:
    """Hides what Orbax's other reads print once one has failed.

    They outlive their event loop and end one by one, some of them much later, so the filter stays.
    """
    hook = sys.unraisablehook

    def report(unraisable: Any) -> None:
        coroutine = getattr(unraisable.object, "__qualname__", "")
        if str(unraisable.exc_value) != "Event loop is closed" and "_read_" not in coroutine:
            hook(unraisable)

    sys.unraisablehook = report
    yield
    sys.unraisablehook = hook
