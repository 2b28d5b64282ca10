"""A request to stop: SIGTERM, which schedulers send before they take a machine away, or Ctrl-C."""

import contextlib
import os
import signal
from types import FrameType, TracebackType
from typing import Any

import jax
from jax.experimental import multihost_utils

ANNOUNCED = b"\nSaving, then stopping; Ctrl-C again to stop at once.\n"


class Stopped(Exception):
    """Work that was not to be finished, since a stop was asked for. Nothing is lost by it."""


class StopRequest:
    """Tells, step by step, whether training was asked to stop; use as a context manager.

    One process listens for SIGTERM itself, and takes for one a terminal that is closed (SIGHUP,
    unless that is ignored, as under nohup) and a first Ctrl-C (a second interrupts at once). With
    several, the JAX runtime's own notifier listens (a Python handler would disable it) and all
    processes agree on the step to stop at.
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
        """Whether to stop after `step`; true for every process at the same step."""
        if jax.process_count() > 1:
            self._received |= multihost_utils.reached_preemption_sync_point(step)
        return self._received

    def check(self) -> None:
        """Raises `Stopped` if this process knows that it is to stop."""
        if self._received:
            raise Stopped

    def _receive(self, number: int, frame: FrameType | None) -> None:
        """Runs between any two instructions, maybe in the midst of a print: it must not print."""
        self._received = True
        if number == signal.SIGINT:
            with contextlib.suppress(OSError):
                os.write(2, ANNOUNCED)
            signal.signal(number, self._previous[number])
        if number == signal.SIGHUP:
            self._leave_terminals()

    def _leave_terminals(self) -> None:
        """Lets what is said from now on go nowhere: to a closed terminal it would be an error."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for terminal in self._terminals:
            os.dup2(nowhere, terminal)
        os.close(nowhere)
