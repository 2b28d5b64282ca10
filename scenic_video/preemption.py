"""A request to stop: SIGTERM, which a scheduler sends before it takes the machine away."""

import signal
from types import FrameType, TracebackType

import jax
from jax.experimental import multihost_utils


class StopRequest:
    """Tells, step by step, whether training was asked to stop; use as a context manager.

    One process listens for SIGTERM itself. With several, the JAX runtime's own notifier listens
    (a Python handler would disable it) and all processes agree on the step to stop at.
    """

    def __init__(self) -> None:
        self._received = False
        self._previous = None

    def __enter__(self) -> "StopRequest":
        if jax.process_count() == 1:
            self._previous = signal.signal(signal.SIGTERM, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGTERM, self._previous)

    def __call__(self, step: int) -> bool:
        """Whether to stop after `step`; true for every process at the same step."""
        if jax.process_count() > 1:
            self._received |= multihost_utils.reached_preemption_sync_point(step)
        return self._received

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = True
