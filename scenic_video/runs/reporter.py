"""The interface through which a run reports its progress."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from scenic_video.loop import Observer

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


@runtime_checkable
class Reporter(Protocol):
    """Receives the messages and the progress of a run."""

    def line(self, text: str) -> None:
        """One message."""
        ...

    def banner(self, title: str, rows: Mapping[str, Any]) -> None:
        """The start of a run: a title, and named values."""
        ...

    def counting(self, what: str) -> AbstractContextManager[Progress]:
        """The progress of `what`, while the context is open."""
        ...

    def training(
        self, *, num_steps: int, batch_size: int, first_step: int
    ) -> AbstractContextManager[Observer]:
        """The progress of training, while the context is open."""
        ...


class _Silent:
    """Reports nothing."""

    def line(self, text: str) -> None: ...

    def banner(self, title: str, rows: Mapping[str, Any]) -> None: ...

    @contextlib.contextmanager
    def counting(self, what: str) -> Iterator[Progress]:
        yield lambda done, total: None

    @contextlib.contextmanager
    def training(self, *, num_steps: int, batch_size: int, first_step: int) -> Iterator[Observer]:
        yield self

    def on_log(self, step: int, scalars: Mapping[str, float]) -> None: ...

    def on_evaluation(self, step: int, scalars: Mapping[str, float]) -> None: ...


SILENT: Reporter = _Silent()
