"""A deadline for calls that may never return."""

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class NoAnswer(Exception):
    """A call did not return before its deadline."""


def with_deadline(function: Callable[[], T], seconds: float | int) -> T:
    """`function()`, or `NoAnswer` after `seconds`.

    No thread can be stopped from outside, so one that hangs is left behind: it is a daemon and
    does not keep the process from ending. A call that hangs without releasing Python's lock holds
    its watchdog too.
    """
    outcome: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((True, function()))
        except BaseException as error:
            outcome.put((False, error))

    threading.Thread(target=run, name="with deadline", daemon=True).start()
    try:
        succeeded, value = outcome.get(timeout=seconds)
    except queue.Empty:
        raise NoAnswer(f"no answer within {seconds:g} s") from None
    if not succeeded:
        raise value
    return value
