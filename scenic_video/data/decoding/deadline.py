"""A deadline for calls that may never return."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

LONGEST_TICK = 0.5
"""Seconds of one wait; if it took longer, the process was paused, and the rest is not counted."""


class NoAnswer(Exception):
    """A call did not return before its deadline."""


def with_deadline(function: Callable[[], T], seconds: float | int) -> T:
    """`function()`, or `NoAnswer` after `seconds`.

    Threads cannot be stopped, so one that hangs is abandoned: it is a daemon, so that the process
    can still exit. A call that hangs without releasing the GIL also blocks the deadline. Only time
    in which the process runs counts, not time in which it or the machine is suspended.
    """
    outcome: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((True, function()))
        except BaseException as error:
            outcome.put((False, error))

    threading.Thread(target=run, name="with deadline", daemon=True).start()
    succeeded, value = _first_of(outcome, seconds)
    if not succeeded:
        raise value
    return value


def _first_of(outcome: "queue.SimpleQueue[tuple[bool, Any]]", seconds: float | int) -> Any:
    left = float(seconds)
    while True:
        begun = time.monotonic()
        tick = min(LONGEST_TICK, max(left, 0.0))
        try:
            return outcome.get(timeout=tick)
        except queue.Empty:
            left -= min(time.monotonic() - begun, tick)
        if left <= 0:
            raise NoAnswer(f"no answer within {seconds:g} s") from None
