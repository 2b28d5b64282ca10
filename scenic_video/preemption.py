"""A request to stop: SIGTERM, which schedulers send before they take a machine away, or Ctrl-C."""

import signal
from types import FrameType, TracebackType
from typing import Any

import jax
from jax.experimental import multihost_utils


class StopRequest:
    """Tells, step by step, whether training was asked to stop; use as a context manager.

    One process listens for SIGTERM itself, and takes a first Ctrl-C for one (a second interrupts at
    once). With several, the JAX runtime's own notifier listens
    (a Python handler would disable it) and all processes agree on the step to stop at.
    """

    def __init__(self) -> None:
        self._received = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        if jax.process_count() == 1:
            for number in (signal.SIGTERM, signal.SIGINT):
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

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = True
        if number == signal.SIGINT:
            print("Saving, then stopping; Ctrl-C again to stop at once.", flush=True)
            signal.signal(number, self._previous[number])
