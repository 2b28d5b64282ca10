"""Terminal output: the banner of a run, its progress, tables of results.

On a terminal, progress is a bar. Elsewhere (a file, a pipe, the log of a job) every log step is one
plain line without control characters, so that `grep` and `tail` work on it.
"""

import contextlib
import functools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import TextIOBase
from typing import IO, Any, cast

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from scenic_video.number_formats import format_seconds, format_value
from scenic_video.printable import printable

Scalars = Mapping[str, int | float]

PLAIN_WIDTH = 120
"""Columns of a table if the width of the terminal is unknown."""

COUNT_EVERY_SECONDS = 30
"""The interval of progress lines without a terminal."""


class Terminal:
    """Prints to `file` (standard output unless given).

    `quiet` prints nothing, for processes other than the first.
    """

    def __init__(self, file: TextIOBase | None = None, *, quiet: bool = False):
        self._console = Console(
            file=cast(IO[str], file), quiet=quiet, highlight=False, markup=False, emoji=False
        )
        if not self.is_interactive:
            self._console.width = max(self._console.width, PLAIN_WIDTH)
        self._bars: Progress | None = None

    @property
    def is_interactive(self) -> bool:
        """Whether the output is a terminal; progress is then a bar instead of lines."""
        return self._console.is_terminal

    def line(self, text: str) -> None:
        """Prints one line without wrapping it."""
        self._console.print(_text(text), soft_wrap=True)

    def banner(self, title: str, rows: Mapping[str, Any]) -> None:
        """Prints a title, and names with values below it."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in rows.items():
            grid.add_row(_text(name), _text(format_value(value)))
        self._console.print(Rule(_text(title, style="bold"), align="left", style="dim"))
        self._console.print(grid)
        self._console.print()

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        fold: bool = True,
    ) -> None:
        """Prints rows with named columns; columns of numbers are right-aligned.

        With `fold=False` rows are not wrapped if the output is not a terminal.
        """
        table, console = _table(title, columns, rows), self._console
        if fold or self.is_interactive:
            return console.print(table)
        unbounded = console.options.update(max_width=sys.maxsize)
        folding, console.width = console.width, console.measure(table, options=unbounded).maximum
        console.print(table)
        console.width = folding

    def results(self, title: str, scalars: Scalars) -> None:
        """A table of named metrics."""
        self.table(title, ("metric", "value"), list(scalars.items()))

    @contextlib.contextmanager
    def training(
        self, *, num_steps: int, batch_size: int, first_step: int = 0
    ) -> Iterator["TrainingProgress"]:
        """Progress from `first_step` (0, or the first step of a resumed run) to `num_steps`."""
        with self._bar("training", total=num_steps, completed=first_step) as update:
            update(status="compiling the first step")
            yield TrainingProgress(
                self, update, num_steps=num_steps, batch_size=batch_size, first_step=first_step
            )

    @contextlib.contextmanager
    def counting(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """Yields a function to call with (done, total) during `what`.

        If the output is not a terminal, it prints a line every half minute.
        """
        start = printed = time.monotonic()
        with self._bar(what, total=None, completed=0) as update:

            def counted(done: int, total: int) -> None:
                nonlocal printed
                now = time.monotonic()
                left = f"{format_seconds((now - start) / max(done, 1) * (total - done))} left"
                update(completed=done, total=total, status=left)
                if not self.is_interactive and now - printed > COUNT_EVERY_SECONDS:
                    printed = now
                    self.line(f"{what}: {done}/{total}  {left}")

            yield counted

    @contextlib.contextmanager
    def _bar(
        self, what: str, *, total: int | None, completed: int
    ) -> Iterator[Callable[..., None]]:
        """A bar below those already open; yields the function that updates it."""
        if not self.is_interactive:
            yield lambda **fields: None
            return
        is_first = self._bars is None
        bars = self._bars = self._bars or _bars(self._console)
        if is_first:
            bars.start()
        task = bars.add_task(printable(what), total=total, completed=completed, status="")
        try:
            yield functools.partial(bars.update, task)
        finally:
            if is_first:
                bars.stop()
                self._bars = None
            else:
                bars.remove_task(task)


class TrainingProgress:
    """Shows the progress of training, as an observer of the training loop."""

    def __init__(
        self,
        terminal: Terminal,
        update: Callable[..., None],
        *,
        num_steps: int,
        batch_size: int,
        first_step: int,
    ):
        self._terminal = terminal
        self._update = update
        self._num_steps = num_steps
        self._batch_size = batch_size
        self._pace = _Pace(first_step)

    def on_log(self, step: int, scalars: Scalars) -> None:
        """The mean metrics of the steps since the last log, and shares of their time."""
        self._pace.reached(step)
        left = format_seconds(self._pace.seconds_per_step * (self._num_steps - step))
        status = [*_status(scalars, self._batch_size), f"{left} left"]
        self._update(completed=step, status=" · ".join(status))
        if not self._terminal.is_interactive:
            parts = [f"step {step}/{self._num_steps}", *status, *_others(scalars)]
            self._terminal.line("  ".join(parts))

    def on_evaluation(self, step: int, scalars: Scalars) -> None:
        """The result of an evaluation, on a permanent line."""
        values = [f"{name} {format_value(value)}" for name, value in scalars.items()]
        self._terminal.line("  ".join([f"evaluation at step {step}:", *values]))


class _Pace:
    """Seconds per step, without the first log interval, which includes compilation."""

    def __init__(self, first_step: int):
        self._marks = [(first_step, time.monotonic())]

    def reached(self, step: int) -> None:
        self._marks.append((step, time.monotonic()))

    @property
    def seconds_per_step(self) -> float:
        start = self._marks[1] if len(self._marks) > 2 else self._marks[0]
        steps, seconds = (b - a for a, b in zip(start, self._marks[-1], strict=True))
        return seconds / max(steps, 1)


def _text(text: str, style: str = "") -> Text:
    """Text without control characters, which file names may contain."""
    return Text(printable(text), style=style)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    out = Table(title=_text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for index, name in enumerate(columns):
        is_numeric = all(isinstance(row[index], int | float) for row in rows)
        justify = "right" if rows and is_numeric else "left"
        out.add_column(_text(name), justify=justify, overflow="fold")
    for row in rows:
        out.add_row(*(_text(format_value(value)) for value in row))
    return out


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}", markup=False),
        console=console,
        expand=True,
    )


def _status(scalars: Scalars, batch_size: int) -> list[str]:
    """The most important values of a log step, if present."""
    short = {name.rpartition("/")[2]: value for name, value in scalars.items()}
    if "steps_per_second" in short:
        short.setdefault("clips_per_second", short["steps_per_second"] * batch_size)
    forms = {
        "loss": "loss {:.4g}",
        "clips_per_second": "{:,.1f} clips/s",
        "data_wait_share": "{:.0%} waiting for data",
    }
    return [form.format(short[name]) for name, form in forms.items() if name in short]


def _others(scalars: Scalars) -> list[str]:
    """The other metrics, without shares of time, which are in metrics.jsonl."""
    named = {name.removeprefix("train/"): value for name, value in scalars.items()}
    return [
        f"{name} {format_value(value)}"
        for name, value in named.items()
        if name != "loss" and not name.startswith("time/")
    ]
