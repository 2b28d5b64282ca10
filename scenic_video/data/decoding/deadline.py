"""A deadline for calls that may never return."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

LONGEST_TICK = 0.5
"""Seconds after which a wait that goes on is counted; one that took longer was a pause."""


class NoAnswer(Exception):
    """A call did not return before its deadline."""


def with_deadline(function: Callable[[], T], seconds: float | int) -> T:
    """`function()`, or `NoAnswer` after `seconds`.

    No thread can be stopped from outside, so one that hangs is left behind: it is a daemon and
    does not keep the process from ending. A call that hangs without releasing Python's lock holds
    its watchdog too. Only time in which this process runs counts: not that in which it, or the
    machine, was stopped.
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
