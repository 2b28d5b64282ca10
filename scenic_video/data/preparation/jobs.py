"""Work on many files, side by side: what is there is kept, and what fails stops nothing else."""

import dataclasses
import functools
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from av.error import FFmpegError


@dataclasses.dataclass(frozen=True)
class Job:
    """A file, or its part from `start` to `end` seconds, and the file that it is to become."""

    source: str
    destination: str
    start: float | int = 0.0
    end: float | int | None = None


@dataclasses.dataclass(frozen=True)
class Result:
    """How a job ended: written, skipped because its file was there, or failed, and then why."""

    job: Job
    was_written: bool
    error: str = ""


def work(
    function: Callable[[Job], bool], jobs: Iterable[Job], *, num_workers: int | None = None
) -> Iterator[Result]:
    """Results as jobs end, in any order; `function` says whether it wrote the job's file.

    `num_workers` processes (None: one a core; 0: this process alone) work side by side. A job that
    fails stops no other. A second call goes on where the first was interrupted.
    """
    run = functools.partial(_run, function)
    if num_workers == 0:
        yield from map(run, jobs)
        return
    # Spawned: a fork of a process that holds JAX's threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(num_workers or os.cpu_count(), mp_context=context)
    try:
        running = {pool.submit(run, job): job for job in jobs}
        for future in as_completed(running):
            error = future.exception()
            if error is None:
                yield future.result()
            else:
                yield Result(running[future], was_written=False, error=f"a worker died: {error}")
    finally:
        pool.shutdown(cancel_futures=True)


def _run(function: Callable[[Job], bool], job: Job) -> Result:
    try:
        return Result(job, was_written=function(job))
    except (ValueError, OSError, FFmpegError) as error:
        return Result(job, was_written=False, error=str(error))
