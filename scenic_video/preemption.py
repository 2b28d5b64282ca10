"""Requests to stop: SIGTERM, which schedulers send before preemption, or Ctrl-C."""

import contextlib
import os
import signal
from types import FrameType, TracebackType
from typing import Any

import jax
from jax.experimental import multihost_utils

ANNOUNCED = b"\nSaving, then stopping; Ctrl-C again to stop at once.\n"


class Stopped(Exception):
    """Work was interrupted by a request to stop, after saving."""


class StopRequest:
    """Reports after each step whether to stop; use as a context manager.

    A single process handles SIGTERM itself, and in the same way SIGHUP (a closed terminal, unless
    ignored, as under nohup) and a first Ctrl-C (a second one interrupts at once). With several, the
    notifier of the JAX runtime handles it (a Python handler would disable it) and all processes
    agree on the step to stop at.
    """

    def __init__(self) -> None:
        self._received = False
        self._previous: dict[int, Any] = {}
        self._terminals: list[int] = []

    def __enter__(self) -> "StopRequest":
        if jax.process_count() == 1:
            self._terminals = [number for number in (1, 2) if os.isatty(number)]
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def __call__(self, step: int) -> bool:
        """Whether to stop after `step`; the same for all processes."""
        if jax.process_count() > 1:
            self._received |= multihost_utils.reached_preemption_sync_point(step)
        return self._received

    def check(self) -> None:
        """Errors: Stopped if this process has received a request to stop."""
        if self._received:
            raise Stopped

    def _receive(self, number: int, frame: FrameType | None) -> None:
        """Runs between any two instructions, possibly within a print, so it must not print."""
        self._received = True
        if number == signal.SIGINT:
            with contextlib.suppress(OSError):
                os.write(2, ANNOUNCED)
            signal.signal(number, self._previous[number])
        if number == signal.SIGHUP:
            self._discard_output()

    def _discard_output(self) -> None:
        """Discards further output, since writing to a closed terminal is an error."""
        devnull = os.open(os.devnull, os.O_WRONLY)
        for terminal in self._terminals:
            os.dup2(devnull, terminal)
        os.close(devnull)
