"""Writes metrics during training: metrics.jsonl and TensorBoard events."""

import contextlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import (  # pyright: ignore[reportMissingImports]
    Event,  # pyright: ignore[reportAttributeAccessIssue]
    SessionLog,  # pyright: ignore[reportAttributeAccessIssue]
)

from scenic_video.errors import UserError

METRICS_FILE = "metrics.jsonl"
TENSORBOARD_FOLDER = "tensorboard"
FLUSH_SECONDS = 30


class MetricWriter:
    """Writes scalars to `workdir`/metrics.jsonl and `workdir`/tensorboard.

    A line of metrics.jsonl is one JSON object: "step", "time" (seconds since 1970) and the
    scalars by name; a value that is not finite is null. Both files are appended to. Rows
    after `resume_step`, of an interrupted run, are dropped since they will be computed again: a
    resumed run writes the same rows as an uninterrupted one.

    Only process 0 of a distributed run writes; in others every method does nothing.
    """

    def __init__(self, workdir: str | os.PathLike[str], *, resume_step: int = 0):
        self._file = self._events = None
        if jax.process_index() != 0:
            return
        workdir = Path(workdir)
        workdir.mkdir(parents=True, exist_ok=True)
        path = workdir / METRICS_FILE
        _drop_rows_after(path, resume_step)
        self._file = path.open("a", encoding="utf-8")
        self._events = _Events(workdir / TENSORBOARD_FOLDER, first_step=resume_step + 1)

    def write(self, step: int, scalars: Mapping[str, Any]) -> None:
        """Adds a row. Values are numbers or arrays of one element; "step" and "time" are reserved.

        The row is in the file when this returns, so a killed process loses none. Errors: OSError,
        with the name of the file, if it cannot be written.
        """
        if self._file is None or self._events is None:
            return
        now = time.time()
        values = {name: _number(name, value) for name, value in scalars.items()}
        row = {"step": int(step), "time": round(now, 3), **values}
        with _named(self._file.name):
            self._file.write(json_of(row) + "\n")
            self._file.flush()
        self._events.add(int(step), values, now)

    def flush(self) -> None:
        """Flushes buffers to the operating system."""
        if self._file is not None and self._events is not None:
            self._file.flush()
            self._events.flush()

    def close(self) -> None:
        """Flushes and closes; may be called twice."""
        if self._file is not None and self._events is not None:
            self._file.close()
            self._events.close()
        self._file = self._events = None

    def __enter__(self) -> "MetricWriter":
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            self.close()
        except OSError:
            if error is None:  # else it is most likely the same error, such as a full disk
                raise


class _Events:
    """TensorBoard's file, written synchronously: tensorboardX's writer hangs when a disk is full.

    TensorBoard hides the contents of earlier files in `folder` from `first_step` on.
    """

    def __init__(self, folder: Path, *, first_step: int):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._writer = EventsWriter(str(folder / "events"), f".{os.getpid()}")
        start = SessionLog(status=SessionLog.START)
        self._writer.write_event(Event(step=first_step, session_log=start))
        self.flush()

    def add(self, step: int, values: Mapping[str, float], now: float) -> None:
        with _named(self._folder):
            for name, value in values.items():
                summarized = summary.scalar(name, value)
                self._writer.write_event(Event(step=step, wall_time=now, summary=summarized))
            if now - self._flushed > FLUSH_SECONDS:
                self.flush()

    def flush(self) -> None:
        self._flushed = time.time()
        with _named(self._folder):
            self._writer.flush()

    def close(self) -> None:
        self._writer.close()


@contextlib.contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Adds the file name to OSErrors that lack it."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def json_of(value: Any, *, indent: int | None = None) -> str:
    """`value` as JSON, with null for numbers that are not finite, which JSON does not support."""
    return json.dumps(_without_nan(value), indent=indent, allow_nan=False)


def read_metrics(workdir: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The rows of `workdir`/metrics.jsonl in order, or none if there is no such file.

    An incomplete last line is ignored; any other line that is not JSON is an error.
    """
    path = Path(workdir) / METRICS_FILE
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    whole, _cut_off = lines[:-1], lines[-1]
    return [_row(path, number, line) for number, line in enumerate(whole, start=1)]


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:  # of JSON, or of UTF-8
        row = None
    if not isinstance(row, dict) or not isinstance(row.get("step"), int):
        raise UserError(
            f"{path}, line {number}, is not a JSON object with a step: {line[:80]!r}. Repair or "
            "delete it."
        )
    return row


def _drop_rows_after(path: Path, step: int) -> None:
    """Rewrites the file atomically, without the rows after `step`."""
    if not path.exists():
        return
    rows = read_metrics(path.parent)
    kept = [json.dumps(row) + "\n" for row in rows if row["step"] <= step]
    shorter = path.with_suffix(".tmp")
    shorter.write_text("".join(kept), encoding="utf-8")
    os.replace(shorter, path)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(name: str, value: Any) -> float:
    if name in ("step", "time"):
        raise UserError(
            f"A scalar cannot be called {name!r}, which is a field of every row. Rename it."
        )
    try:
        return float(value)
    except TypeError as error:
        raise UserError(f"Metric {name!r} must be one number; got {value!r}.") from error
