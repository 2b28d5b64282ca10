"""Transfers host batches to the devices before the step that needs them."""

import collections
from collections.abc import Callable, Iterator
from typing import Any


class Feed(Iterator[Any]):
    """An iterator over `put(batch)`, which transfers the next `depth` batches in advance.

    `put` starts the transfer of a host batch and does not wait for it, as in JAX. Everything runs
    in the caller's thread, since a background thread might still run when the devices are closed.
    `close` closes `batches` too.
    """

    def __init__(self, batches: Iterator[Any], put: Callable[[Any], Any], *, depth: int = 2):
        self._batches = batches
        self._put = put
        self._depth = depth
        self._ahead: collections.deque[Any] = collections.deque()
        self._exhausted = False

    def __next__(self) -> Any:
        while not self._exhausted and len(self._ahead) <= self._depth:
            self._fetch()
        if not self._ahead:
            raise StopIteration
        return self._ahead.popleft()

    def close(self) -> None:
        """Drops the batches in transfer and closes the source, if it can be closed."""
        self._exhausted = True
        self._ahead.clear()
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> "Feed":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _fetch(self) -> None:
        try:
            batch = next(self._batches)
        except StopIteration:
            self._exhausted = True
            return
        self._ahead.append(self._put(batch))
