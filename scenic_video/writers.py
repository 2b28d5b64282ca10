"""What a run leaves behind while it trains: metrics.jsonl and TensorBoard events."""

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from tensorboardX import SummaryWriter

METRICS_FILE = "metrics.jsonl"
TENSORBOARD_FOLDER = "tensorboard"


class MetricWriter:
    """Writes scalars to `workdir`/metrics.jsonl and `workdir`/tensorboard.

    A line of metrics.jsonl is one JSON object: "step", "time" (seconds since 1970) and the
    scalars by name; a value that is not finite is null. Both files are appended to. Whatever they
    hold of steps after `resume_step` belongs to a run that was cut off and is about to be run
    again, so it is dropped: a resumed run leaves the same rows as a straight one.

    Only process 0 of a distributed run writes; elsewhere every method does nothing.
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
        self._events = SummaryWriter(
            str(workdir / TENSORBOARD_FOLDER), purge_step=resume_step + 1, flush_secs=30
        )

    def write(self, step: int, scalars: Mapping[str, Any]) -> None:
        """Adds one row. Values are numbers or arrays of one element; "step" and "time" are taken.

        The row is in the file when this returns, so a killed process loses none.
        """
        if self._file is None or self._events is None:
            return
        now = time.time()
        values = {name: _number(name, value) for name, value in scalars.items()}
        row = {"step": int(step), "time": round(now, 3), **values}
        self._file.write(json_of(row) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._events.add_scalar(name, value, int(step), walltime=now)

    def flush(self) -> None:
        """Hands what is buffered to the operating system."""
        if self._file is not None and self._events is not None:
            self._file.flush()
            self._events.flush()

    def close(self) -> None:
        """Flushes and closes; closing twice does no harm."""
        if self._file is not None and self._events is not None:
            self._file.close()
            self._events.close()
        self._file = self._events = None

    def __enter__(self) -> "MetricWriter":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def json_of(value: Any, *, indent: int | None = None) -> str:
    """`value` as JSON, with null for numbers that are not finite, which JSON cannot say."""
    return json.dumps(_without_nan(value), indent=indent, allow_nan=False)


def read_metrics(workdir: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The rows of `workdir`/metrics.jsonl in order, or none if there is no such file.

    A last line that was cut off while it was written is left out; any other line that is not JSON
    is an error.
    """
    path = Path(workdir) / METRICS_FILE
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    whole, _cut_off = lines[:-1], lines[-1]
    rows = []
    for number, line in enumerate(whole, start=1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{path}, line {number}, is not a JSON object: {line[:80]!r}. Mend or delete it."
            ) from error
    return rows


def _drop_rows_after(path: Path, step: int) -> None:
    """Rewrites the file as a whole or not at all."""
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
        raise ValueError(f"A scalar cannot be called {name!r}: every row has that field already.")
    try:
        return float(value)
    except TypeError as error:
        raise ValueError(f"Metric {name!r} must be one number; got {value!r}.") from error
