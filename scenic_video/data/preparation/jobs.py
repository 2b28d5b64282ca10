"""Processes many files in parallel, keeping existing ones and continuing after failures."""

import dataclasses
import functools
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from av.error import FFmpegError


@dataclasses.dataclass(frozen=True)
class Job:
    """A source file, or its part from `start` to `end` seconds, and the file to write."""

    source: str
    destination: str
    start: float | int = 0.0
    end: float | int | None = None


@dataclasses.dataclass(frozen=True)
class Result:
    """How a job ended: written, skipped because its file existed, or failed with an error."""

    job: Job
    was_written: bool
    error: str = ""


def work(
    function: Callable[[Job], bool], jobs: Iterable[Job], *, num_workers: int | None = None
) -> Iterator[Result]:
    """Results as jobs end, in any order; `function` returns whether it wrote the job's file.

    `num_workers` processes run in parallel (None: one per core; 0: this process only). A failed job
    does not stop others. After an interruption, a second call continues.
    """
    run = functools.partial(_run, function)
    if num_workers == 0:
        yield from map(run, jobs)
        return
    # Spawned, since a fork of a process with JAX's threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(num_workers or os.cpu_count(), mp_context=context)
    try:
        running = {pool.submit(run, job): job for job in jobs}
        for future in as_completed(running):
            error = future.exception()
            if error is None:
                yield future.result()
            else:
                yield Result(
                    running[future], was_written=False, error=f"a worker process ended: {error}"
                )
    finally:
        pool.shutdown(cancel_futures=True)


def _run(function: Callable[[Job], bool], job: Job) -> Result:
    try:
        return Result(job, was_written=function(job))
    except (ValueError, OSError, FFmpegError) as error:
        return Result(job, was_written=False, error=str(error))
