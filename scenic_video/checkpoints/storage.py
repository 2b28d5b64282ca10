"""Reads and writes checkpoints with Orbax.

A step is a folder with two parts. `state` holds the arrays by name, as nested dicts by path,
whatever the containers of the state. `header` is JSON; see `header.py`.
"""

import gc
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from etils import epath
from flax.traverse_util import flatten_dict, unflatten_dict
from jax.experimental import multihost_utils
from orbax.checkpoint import v1 as orbax

from scenic_video.checkpoints.fingerprint import fingerprints
from scenic_video.checkpoints.header import Best, Content, is_intact, rank
from scenic_video.checkpoints.orbax_noise import is_news, quiet_if_it_fails
from scenic_video.checkpoints.permissions import Unreadable, unreadable
from scenic_video.errors import RunFailed

logger = logging.getLogger(__name__)

T = TypeVar("T")

PathLike = Any
"""A str, a pathlib.Path, or a path of a bucket such as gs://bucket/run."""

_STEPS = orbax.path.step.standard_name_format()


class CorruptedCheckpoint(RunFailed):
    """A checkpoint that cannot be read, or whose arrays are not those that were saved."""


class UnreadableCheckpoint(RunFailed):
    """A checkpoint without read permission; it may be intact."""


def steps_in(directory: epath.Path) -> list[int]:
    """The complete steps, ascending."""
    if not directory.exists():
        return []
    return sorted(found.step for found in _STEPS.find_all(directory))


def open_writer(directory: epath.Path, keep_last: int, best: Best | None) -> Any:
    """Orbax's writer; deletes incomplete checkpoints of a killed run.

    Orbax reads its own copies of the metrics when it opens, and fails on a damaged one, so those
    are written again from the headers.
    """
    logging.getLogger("absl").addFilter(is_news)
    _restore_metrics(directory)
    policies: Any = orbax.training.preservation_policies
    always: Any = orbax.training.save_decision_policies.FixedIntervalPolicy(1)
    kept: list[Any] = [policies.LatestN(keep_last)]
    if best is not None:
        kept.append(
            policies.BestN(
                get_metric_fn=lambda metrics: rank(metrics, best),
                n=1,
                keep_checkpoints_without_metrics=False,
            )
        )
    return orbax.training.Checkpointer(
        directory,
        context=_context(),
        save_decision_policy=always,
        preservation_policy=policies.AnyPreservationPolicy(kept),
        cleanup_tmp_directories=True,
    )


def _restore_metrics(directory: epath.Path) -> None:
    if jax.process_index() == 0:
        for step in steps_in(directory):
            path = directory / str(step) / "metrics" / "metrics"
            if path.exists() and not _is_metrics(path):
                _rewrite_metrics(path, step)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("metrics of checkpoints are readable")


def _is_metrics(path: epath.Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except ValueError:
        return False


def _rewrite_metrics(path: epath.Path, step: int) -> None:
    logger.warning("DAMAGED METRICS of step %d: written again.", step)
    header, problem = _read(path.parent.parent, "header", None)
    known = header["content"]["metrics"] if not problem and is_intact(header) else None
    path.write_text(json.dumps(known or {}))


def write(writer: Any, step: int, leaves: Mapping[str, Any], header: Mapping[str, Any]) -> Any:
    """Copies the arrays and writes them in the background; `.result()` waits for the files."""
    return writer.save_checkpointables_async(
        step,
        {"state": nest(leaves), "header": header},
        force=True,
        metrics=header["content"]["metrics"],
    )


def read_header(directory: epath.Path, step: int) -> Content:
    """Errors: FileNotFoundError for a step that is not there, CorruptedCheckpoint."""
    known = steps_in(directory)
    if step not in known:
        raise FileNotFoundError(f"There is no step {step} in {directory}; there are {known}.")
    header, problem = _read(directory / str(step), "header", None)
    if not problem and not is_intact(header):
        problem = "its header has changed since it was saved"
    _raise_together(f"{directory}/{step}", problem)
    return header["content"]


def read_arrays(
    directory: epath.Path, content: Content, wanted: Mapping[str, Any]
) -> dict[str, jax.Array]:
    """The arrays `wanted` (path -> shape, dtype and sharding), checked to be those that were saved.

    Errors: CorruptedCheckpoint, on all processes if on one.
    """
    name = f"{directory}/{content['step']}"
    state, problem = _read(directory / str(content["step"]), "state", nest(wanted))
    loaded: dict[str, Any] = dict(flatten_dict(state or {}, sep="/"))
    missing = [path for path in wanted if not isinstance(loaded.get(path), jax.Array)]
    if missing and not problem:
        problem = f"{len(missing)} of its arrays are missing: {_some(missing)}"
    _raise_together(name, problem)
    found = fingerprints({path: loaded[path] for path in wanted})
    differing = [path for path in wanted if int(found[path]) != content["leaves"][path][2]]
    if differing:
        count = f"{len(differing)} of {len(wanted)} arrays"
        problem = f"{count} have changed since they were saved: {_some(differing)}"
    _raise_together(name, problem)
    return {path: loaded[path] for path in wanted}


def first_good(steps: Sequence[int], load: Callable[[int], T]) -> tuple[T, list[int]]:
    """`load(step)` for the first step that is not damaged, and the damaged ones before it."""
    damaged: dict[int, str] = {}
    for step in steps:
        try:
            return load(step), list(damaged)
        except CorruptedCheckpoint as error:
            if len(steps) == 1:
                raise
            damaged[step] = str(error)
            logger.warning("DAMAGED CHECKPOINT %s Skipping it.", error)
    reasons = "".join(f"\n  {reason}" for reason in damaged.values())
    raise CorruptedCheckpoint(f"None of the checkpoints can be restored:{reasons}")


def best_step(directory: epath.Path, best: Best | None = None) -> int | None:
    """The best step by `best`, or by the metric that the newest header names."""
    contents: list[Content] = []
    for step in steps_in(directory):
        try:
            contents.append(read_header(directory, step))
        except CorruptedCheckpoint as error:
            logger.warning("DAMAGED CHECKPOINT %s", error)
    if best is None and contents and contents[-1]["best"]:
        best = tuple(contents[-1]["best"])
    if best is None:
        return None
    ranked = [(rank(content["metrics"], best), content["step"]) for content in contents]
    ranked = [(value, step) for value, step in ranked if value > -float("inf")]
    return max(ranked)[1] if ranked else None


def set_aside(directory: epath.Path, steps: Sequence[int]) -> None:
    """Renames damaged steps, so that they are kept but no longer read as checkpoints."""
    if jax.process_index() == 0:
        for step in steps:
            name, count = f"{step}.damaged", 1
            while (directory / name).exists():
                name, count = f"{step}.damaged{count}", count + 1
            (directory / str(step)).rename(directory / name)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("damaged checkpoints are set aside")


def nest(leaves: Mapping[str, T]) -> dict[str, Any]:
    """Nested dicts of path -> leaf."""
    return unflatten_dict({tuple(path.split("/")): leaf for path, leaf in leaves.items()})


def _context() -> orbax.Context:
    context = orbax.Context()
    registry = orbax.handlers.local_registry()
    registry.add(orbax.handlers.JsonHandler, checkpointable_name="header")
    context.checkpointables.registry = registry
    return context


def _read(folder: epath.Path, part: str, target: Any) -> tuple[Any, str]:
    """A part of a step, or None and what is wrong with it.

    Processes read independently: if they waited for each other, those that can read would wait
    forever for one that cannot.
    """
    context = _context()
    context.pytree.loading.partial_load = True
    context.multiprocessing.primary_host = jax.process_index()
    context.multiprocessing.active_processes = {jax.process_index()}
    context.multiprocessing.barrier_sync_key_prefix = f"process_{jax.process_index()}"
    try:
        with context, quiet_if_it_fails():
            return orbax.load_checkpointables(folder, {part: target})[part], ""
    except (MemoryError, jax.errors.JaxRuntimeError):
        raise
    except Exception as error:
        problem = unreadable(folder) or f"its {part} cannot be read: {_reason(error)}"
    gc.collect()  # drops the reads that were abandoned
    return None, problem


def _raise_together(name: str, problem: str) -> None:
    """Raises on all processes if one has a problem.

    Errors: UnreadableCheckpoint if one lacks permission, else CorruptedCheckpoint.
    """
    kind = 0 if not problem else 2 if isinstance(problem, Unreadable) else 1
    if jax.process_count() > 1:
        kind = int(multihost_utils.process_allgather(np.array(kind)).max())
    message = f"{name}: {problem or 'another process cannot read it'}."
    if kind == 2:
        raise UnreadableCheckpoint(f"{message} Give this user read permission, then try again.")
    if kind == 1:
        raise CorruptedCheckpoint(message)


def _reason(error: BaseException) -> str:
    """The innermost cause in one line; the outer ones are guesses of Orbax."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:5]) + (", ..." if len(paths) > 5 else "")
