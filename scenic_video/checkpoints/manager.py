"""Writes, keeps and restores the checkpoints of a run."""

import contextlib
import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Literal

import jax
from etils import epath

from scenic_video.checkpoints import storage
from scenic_video.checkpoints.header import (
    Content,
    check_structure,
    flatten,
    make_header,
    meta_of,
)
from scenic_video.checkpoints.storage import PathLike
from scenic_video.config import check_arguments
from scenic_video.errors import RunFailed, UserError
from scenic_video.field_types import PositiveInt

logger = logging.getLogger(__name__)


class SaveFailed(RunFailed):
    """A checkpoint could not be written."""


class Checkpoints:
    """The checkpoints of a run in `directory`, one folder per step.

    Keeps the `keep_last` newest and, if `best_metric` names a metric passed to `save`, the one
    where it is best: highest for `best_mode` "max", lowest for "min". Older ones are deleted after
    a newer checkpoint is complete. Reading changes nothing on disk; the first `save` deletes
    incomplete checkpoints of a killed run. All processes must make the same calls.
    """

    @check_arguments
    def __init__(
        self,
        directory: PathLike,
        *,
        keep_last: PositiveInt = 2,
        best_metric: str | None = None,
        best_mode: Literal["max", "min"] = "max",
    ):
        self.directory = epath.Path(directory).resolve()
        self._keep_last = keep_last
        self._best = None if best_metric is None else (best_metric, best_mode)
        self._damaged: list[int] = []
        self._writer: Any = None
        self._in_flight: tuple[int, Future[None]] | None = None

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, error_type: Any, error: Any, traceback: Any) -> None:
        try:
            self.close()
        except SaveFailed as save_error:
            if error is None:
                raise
            logger.error("%s", save_error)

    def close(self) -> None:
        """Waits for the unfinished save. Errors: SaveFailed."""
        try:
            self.wait()
        finally:
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.close()

    def check(self) -> None:
        """Errors: SaveFailed if the background save has failed. Does not wait for it."""
        if self._in_flight is not None and self._in_flight[1].done():
            self.wait()

    def wait(self) -> None:
        """Waits until the last save is on disk. Errors: SaveFailed if it failed."""
        in_flight, self._in_flight = self._in_flight, None
        if in_flight is None:
            return
        step, saved = in_flight
        try:
            saved.result()
        except Exception as error:
            writer, self._writer = self._writer, None
            with contextlib.suppress(Exception):  # it raises the same error again
                writer.close()
            raise SaveFailed(
                f"Step {step} could not be saved in {self.directory}: {error}. Steps on disk: "
                f"{storage.steps_in(self.directory)}."
            ) from error

    def steps(self) -> list[int]:
        """The complete steps on disk, ascending; waits for the unfinished save."""
        self.wait()
        return storage.steps_in(self.directory)

    def latest_step(self) -> int | None:
        """The newest complete step, or None."""
        return max(self.steps(), default=None)

    def best_step(self) -> int | None:
        """The step where `best_metric` is best, or None."""
        self.wait()
        return storage.best_step(self.directory, self._best)

    def save(
        self,
        step: int,
        state: Any,
        meta: Mapping[str, Any],
        metrics: Mapping[str, float] | None = None,
        *,
        block: bool = False,
    ) -> None:
        """Saves a state in the background; its arrays may be donated as soon as this returns.

        `meta` is any JSON value; `metrics` are the metrics of this step, including `best_metric`.
        With `block`, waits for the files. Errors: UserError if the step exists or an argument is
        invalid, SaveFailed if the previous save failed.
        """
        if step in self.steps() and step not in self._damaged:
            raise UserError(f"Step {step} is already saved in {self.directory}.")
        if self._best and metrics is not None and self._best[0] not in metrics:
            raise UserError(
                f"best_metric={self._best[0]!r} is not one of the metrics: {', '.join(metrics)}."
            )
        leaves = flatten(state)
        header = make_header(step, leaves, meta, metrics, self._best)
        try:
            self._open_writer()
            response = storage.write(self._writer, step, leaves, header)
        except OSError as error:
            raise SaveFailed(
                f"Step {step} cannot be saved in {self.directory}: {error}."
            ) from error
        self._in_flight = (step, _in_background(response))
        if block:
            self.wait()

    def read_meta(self, step: int | None = None) -> dict[str, Any]:
        """The saved `meta`, with "step" and "metrics", without reading the arrays.

        Without a step, it is the meta of the newest readable step.
        """
        content, _ = storage.first_good(self._candidates(step), self._read_header)
        return meta_of(content)

    def restore(self, step: int | None, abstract_state: Any) -> tuple[Any, dict[str, Any]]:
        """The state of a step, or of the newest intact one, and its meta as in `read_meta`.

        `abstract_state` is a tree of `ShapeDtypeStruct` with shardings; the state is restored into
        its containers and shardings, whatever they were when it was saved. Errors: UserError with
        a table if names, shapes or dtypes differ; CorruptedCheckpoint for a given step that is
        damaged. Without a step, damaged ones are skipped with a warning and stay on disk; the next
        `save` renames them, so that they are not taken for the newest again.
        """
        return self._restore(self._candidates(step), abstract_state)

    def restore_best(self, abstract_state: Any) -> tuple[Any, dict[str, Any]]:
        """As `restore`, for the step where `best_metric` is best.

        If that step is damaged, or there is none, the newest intact step is used.
        """
        best, steps = self.best_step(), self._candidates(None)
        order = [best, *(step for step in steps if step != best)] if best is not None else steps
        return self._restore(order, abstract_state)

    def _restore(self, steps: list[int], abstract_state: Any) -> tuple[Any, dict[str, Any]]:
        """The first of the steps that is not damaged."""
        wanted = flatten(abstract_state)

        def load(step: int) -> tuple[dict[str, jax.Array], dict[str, Any]]:
            content = self._read_header(step)
            check_structure(f"{self.directory}/{step}", content, wanted)
            arrays = storage.read_arrays(self.directory, content, wanted)
            return arrays, meta_of(content)

        (arrays, meta), self._damaged = storage.first_good(steps, load)
        structure = jax.tree.structure(abstract_state)
        return jax.tree.unflatten(structure, [arrays[path] for path in wanted]), meta

    def _candidates(self, step: int | None) -> list[int]:
        """The steps to try, the newest first; waits for the unfinished save."""
        steps = self.steps()
        if not steps:
            raise FileNotFoundError(f"There is no checkpoint in {self.directory}.")
        return steps[::-1] if step is None else [step]

    def _read_header(self, step: int) -> Content:
        return storage.read_header(self.directory, step)

    def _open_writer(self) -> None:
        if self._damaged:
            storage.set_aside(self.directory, self._damaged)
            self._damaged = []
            if self._writer is not None:
                self._writer.reload()
        if self._writer is None:
            self._writer = storage.open_writer(self.directory, self._keep_last, self._best)


def _in_background(response: Any) -> Future[None]:
    """Orbax's response as a future that completes without being waited for."""
    future: Future[None] = Future()

    def wait() -> None:
        try:
            response.result()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(None)

    threading.Thread(target=wait, name="save", daemon=True).start()
    return future
