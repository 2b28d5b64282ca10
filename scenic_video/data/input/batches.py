"""Host batches of examples, whose order and randomness depend only on (seed, step).

A host batch is {"inputs": {name: array}, "label": {head: array}, "mask": float32 [L]}, where L is
the number of rows that this host loads. Inputs are those of `Preprocessing`. Labels are int32 [L],
or float32 [L, C] of zeros and ones if the label space is multi-label.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import grain
import numpy as np

from scenic_video.data.examples import Example
from scenic_video.data.input.bad_files import BadFile, BadFiles
from scenic_video.data.input.read_ahead import read_ahead
from scenic_video.data.input.rows import EvaluationRow, TrainingRow
from scenic_video.errors import UserError

HostBatch = dict[str, Any]


class Batches(Iterator[HostBatch], contextlib.AbstractContextManager):
    """Host batches that are loaded ahead. Close them, or use them in a `with`."""

    def __init__(self, steps: grain.DatasetIterator):
        self._steps = steps

    def close(self) -> None:
        """Stops worker processes, and threads after their current work."""
        self._steps.close()

    def __exit__(self, *exception: object) -> None:
        self.close()


class TrainingBatches(Batches):
    """Endless; see `train_batches`. `step` is the step of the next batch."""

    def __init__(self, steps: grain.DatasetIterator, *, step: int, bad_files: BadFiles | None):
        super().__init__(steps)
        self._bad_files = bad_files
        self.step = step

    def __next__(self) -> HostBatch:
        batch, bad_files = next(self._steps)
        for bad_file in bad_files:
            self._add(bad_file)
        self.step += 1
        return batch

    def _add(self, bad_file: BadFile) -> None:
        if self._bad_files is None:
            raise UserError(
                f"Step {self.step} needs a video that cannot be read: {bad_file}. Repair it or "
                "leave it out, or give `bad_files` to accept a share of such files."
            )
        self._bad_files.add(bad_file, step=self.step)


class EvaluationBatches(Batches):
    """One pass over a split; see `eval_batches`. `bad_files` are those found so far by this
    host."""

    def __init__(self, steps: grain.DatasetIterator, *, num_batches: int):
        super().__init__(steps)
        self._num_batches = num_batches
        self.bad_files: list[BadFile] = []

    def __len__(self) -> int:
        return self._num_batches

    def __next__(self) -> HostBatch:
        batch, bad_files = next(self._steps)
        self.bad_files.extend(bad_files)
        return batch


def train_batches(
    load: TrainingRow,
    *,
    batch_size: int,
    rows: Sequence[int] | None = None,
    start_step: int = 0,
    bad_files: BadFiles | None = None,
    num_threads: int | None = None,
    num_workers: int = 0,
) -> TrainingBatches:
    """Endless training batches from `start_step` on; inputs are [L, ...].

    `batch_size` is global, and step s has the same clips with the same crops for any number of
    hosts, threads and workers. `rows` are the rows of the global batch that this host loads; None
    means all. A video that cannot be read is replaced by another and listed in `bad_files`;
    without `bad_files` it is an error. `num_threads` (default: all cores, at most 16) is per
    process. `num_workers` processes instead of this one are useful with more than about 16 cores.
    """
    steps = read_ahead(
        _training_order(len(load.examples), load.seed).map_with_index(load),
        batch_size=batch_size,
        rows=_checked_rows(rows, batch_size),
        start_step=start_step,
        num_threads=num_threads,
        num_workers=num_workers,
    )
    return TrainingBatches(steps, step=start_step, bad_files=bad_files)


def batch_examples(
    examples: Sequence[Example], *, seed: int, batch_size: int, step: int
) -> list[Example]:
    """The examples of the global batch of `step`, in the order of its rows, without decoding.

    Replacements of unreadable videos are not included.
    """
    order = _training_order(len(examples), seed)
    indices = range(step * batch_size, (step + 1) * batch_size)
    positions: list[Any] = [order[index] for index in indices]
    return [examples[position] for position in positions]


def eval_batches(
    load: EvaluationRow,
    *,
    batch_size: int,
    rows: Sequence[int] | None = None,
    num_threads: int | None = None,
    num_workers: int = 0,
) -> EvaluationBatches:
    """Every example once, in order; inputs are [L, V, ...] with V = num_crops * num_clips.

    Batches also have "index", int32 [L]: the position in the split, -1 for padding of the last
    batch. Padding, and videos that cannot be read, are zeros with mask 0. `rows` is as in
    `train_batches`; every host gets len() batches.
    """
    num_batches = math.ceil(len(load.examples) / batch_size)
    steps = read_ahead(
        grain.MapDataset.range(num_batches * batch_size).map(load),
        batch_size=batch_size,
        rows=_checked_rows(rows, batch_size),
        num_threads=num_threads,
        num_workers=num_workers,
    )
    return EvaluationBatches(steps, num_batches=num_batches)


def _training_order(num_examples: int, seed: int) -> grain.MapDataset:
    """Index of an element -> position of its example: endless, each epoch in another order."""
    if num_examples == 0:
        raise UserError("There is nothing to train on: the split has no examples.")
    # Hashed, because Grain shuffles epoch e with seed + e: seed 1 would repeat epochs of seed 0.
    shuffle_seed = int(np.random.SeedSequence(seed).generate_state(1)[0])
    return grain.MapDataset.range(num_examples).shuffle(shuffle_seed).repeat(None)


def _checked_rows(rows: Sequence[int] | None, batch_size: int) -> Sequence[int]:
    rows = range(batch_size) if rows is None else rows
    if len(rows) == 0 or min(rows) < 0 or max(rows) >= batch_size:
        raise UserError(
            f"`rows` must be some of the rows 0 to {batch_size - 1} of the global batch; got "
            f"{list(rows)}."
        )
    return rows
