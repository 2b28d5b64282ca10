"""Loads the batches of a host ahead of time, in threads and worker processes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grain
import numpy as np
from absl import flags

from scenic_video.data.input.rows import BatchRow
from scenic_video.errors import UserError

MAX_THREADS = 16


class HostBatches(grain.MapDataset):
    """The rows of this host for every step, stacked as one `BatchRow`.

    Step s consists of elements [s * batch_size, (s + 1) * batch_size), in order, for any number of
    hosts; `rows` are those that this host loads, in order. `num_threads` load the elements of one
    step.
    """

    def __init__(
        self, elements: grain.MapDataset, *, batch_size: int, rows: Sequence[int], num_threads: int
    ):
        super().__init__(elements)
        self._elements = elements
        self._batch_size = batch_size
        self._rows = tuple(rows)
        self._num_threads = num_threads

    def __len__(self) -> int:
        return len(self._elements) // self._batch_size

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self.slice(index)
        # One pool per step costs a millisecond, and need not be closed or pickled.
        elements = [index * self._batch_size + row for row in self._rows]
        with ThreadPoolExecutor(self._num_threads, thread_name_prefix="load") as pool:
            rows: list[Any] = list(pool.map(self._elements.__getitem__, elements))
        bad_files = tuple(bad_file for row in rows for bad_file in row.bad_files)
        return BatchRow(_stack([row.arrays for row in rows]), bad_files)


def read_ahead(
    elements: grain.MapDataset,
    *,
    batch_size: int,
    rows: Sequence[int],
    start_step: int = 0,
    num_threads: int | None = None,
    num_workers: int = 0,
) -> grain.DatasetIterator:
    """An iterator over the `HostBatches` of `elements`, which starts to load at once.

    It uses `num_threads` (default: all cores, at most 16) in this process or in each of
    `num_workers` processes. Threads load the rows of one or a few steps in parallel, so that few
    batches are in memory for any number of threads.
    """
    if num_workers < 0 or (num_threads is not None and num_threads < 1):
        raise UserError(
            "num_threads must be at least 1 (None: all cores) and num_workers at least 0; got "
            f"num_threads={num_threads} and num_workers={num_workers}."
        )
    threads = num_threads or default_threads(num_workers)
    at_once = min(threads, max(2, -(-threads // len(rows))))
    batches = HostBatches(
        elements, batch_size=batch_size, rows=rows, num_threads=-(-threads // at_once)
    )
    options = grain.ReadOptions(num_threads=at_once, prefetch_buffer_size=at_once + 1)
    dataset = batches.slice(slice(start_step, None)).to_iter_dataset(options)
    if num_workers:
        _mark_flags_as_parsed()
        dataset = dataset.mp_prefetch(
            grain.MultiprocessingOptions(num_workers=num_workers), worker_init_fn=_ignore_signals
        )
    iterator = iter(dataset)
    iterator.start_prefetch()
    return iterator


def default_threads(num_workers: int) -> int:
    """The threads of one process if `num_workers` processes (0: this one) share the cores."""
    return max(1, min(MAX_THREADS, (os.cpu_count() or 1) // max(1, num_workers)))


def _stack(rows: Sequence[Any]) -> Any:
    if isinstance(rows[0], dict):
        return {name: _stack([row[name] for row in rows]) for name in rows[0]}
    return np.stack(rows)


def _mark_flags_as_parsed() -> None:
    # Grain reads absl flags when it starts workers, which fails if none were parsed.
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()


def _ignore_signals(worker_index: int, num_workers: int) -> None:
    """Ignores signals in a worker, which ends with its parent instead.

    A preempted run still needs batches until it has saved, but the signal may reach the whole
    process group.
    """
    del worker_index, num_workers
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, name="exit with parent", daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
