"""The training loop: steps, logs, evaluations and checkpoints, each in its time."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import jax

from scenic_video import metrics as metrics_lib
from scenic_video.tasks.task import Batch, Output
from scenic_video.trainer import TrainerOptions, TrainState

Scalars = dict[str, float]


class NonFiniteLoss(RuntimeError):
    """The loss or its gradient was not finite for too many steps in a row, the last at `step`."""

    def __init__(self, step: int, in_a_row: int):
        super().__init__(
            f"The loss or its gradient was not finite for {in_a_row} steps in a row, the last of "
            f"them step {step}. No such step changed the model."
        )
        self.steps = range(step - in_a_row + 1, step + 1)


@runtime_checkable
class Observer(Protocol):
    """Who is told how training goes: writers of files, a progress bar."""

    def on_log(self, step: int, scalars: Scalars) -> None: ...

    def on_evaluation(self, step: int, scalars: Scalars) -> None: ...


@dataclasses.dataclass(frozen=True)
class Cadence:
    """At which steps the loop logs, evaluates and saves."""

    num_steps: int
    log_every: int
    eval_every: int
    checkpoint_every: int

    @classmethod
    def of(cls, options: TrainerOptions, steps_per_epoch: float) -> "Cadence":
        """Resolves epochs into steps for a dataset of `steps_per_epoch` batches."""
        num_steps = options.num_steps or max(1, round((options.num_epochs or 0) * steps_per_epoch))
        eval_every = options.eval_every or max(1, math.ceil(steps_per_epoch))
        return cls(num_steps, options.log_every, eval_every, options.checkpoint_every or eval_every)

    def due(self, step: int, every: int) -> bool:
        return step % every == 0 or step == self.num_steps

    def closes_interval(self, step: int) -> bool:
        """Whether a log interval ends at `step`.

        One also ends where a checkpoint is saved, so that a resumed run logs what a straight run
        logs.
        """
        return self.due(step, self.log_every) or self.due(step, self.checkpoint_every)


def train(
    state: TrainState,
    *,
    train_step: Callable[[TrainState, Batch], tuple[TrainState, dict[str, metrics_lib.Metric]]],
    batches: Iterator[Batch],
    cadence: Cadence,
    evaluate: Callable[[TrainState], Scalars],
    save: Callable[[TrainState, Scalars], None],
    observer: Observer,
    should_stop: Callable[[int], bool],
    max_bad_steps: int,
) -> TrainState:
    """Trains from `state.step` to the last step of `cadence`, or until `should_stop(step)`.

    `batches` starts at the batch of the next step. Metrics stay on the device and are read one
    step late, so the host never waits for the step it has just sent off. When told to stop, the
    loop saves and returns.
    """
    log = _IntervalLog(observer, max_bad_steps)
    for step in range(int(state.step) + 1, cadence.num_steps + 1):
        batch = log.timed("data_wait", next, batches)
        state, step_metrics = log.timed("compute", train_step, state, batch)
        stop = should_stop(step)
        log.add(step, step_metrics, state.bad_steps, closes=stop or cadence.closes_interval(step))

        evaluation: Scalars = {}
        if cadence.due(step, cadence.eval_every) and not stop:
            log.flush()
            evaluation = log.timed("evaluation", evaluate, state)
            observer.on_evaluation(step, evaluation)
        if cadence.due(step, cadence.checkpoint_every) or stop:
            log.flush()
            save(state, evaluation)
        if stop:
            break
    log.flush()
    return state


class _IntervalLog:
    """Keeps the metrics of the open interval on the device and reports closed ones a step late."""

    def __init__(self, observer: Observer, max_bad_steps: int):
        self._observer = observer
        self._max_bad_steps = max_bad_steps
        self._interval: list[dict[str, metrics_lib.Metric]] = []
        self._closed: tuple[int, list, Scalars] | None = None
        self._bad_steps: list[tuple[int, jax.Array]] = []
        self._restart_clock()

    def timed(self, kind: str, function: Callable, *args) -> Any:
        start = time.perf_counter()
        result = function(*args)
        self._seconds[kind] += time.perf_counter() - start
        return result

    def add(self, step: int, step_metrics: dict, bad_steps: jax.Array, *, closes: bool) -> None:
        # A copy: the state that holds the counter is donated to the next step.
        self._bad_steps.append((step, bad_steps + 0))
        self.timed("compute", self._check_steps, 2)
        self._report()
        self._interval.append(step_metrics)
        if closes:
            self._closed = (step, self._interval, self._time_split())
            self._interval = []

    def flush(self) -> None:
        """Reports what is closed, without waiting for the next step."""
        self._check_steps(0)
        self._report()

    def _check_steps(self, run_ahead: int) -> None:
        """Waits for all but the last `run_ahead` steps, and stops after too many bad ones."""
        while len(self._bad_steps) > run_ahead:
            step, bad_steps = self._bad_steps.pop(0)
            in_a_row = int(jax.device_get(bad_steps))
            if in_a_row >= self._max_bad_steps:
                raise NonFiniteLoss(step, in_a_row)

    def _restart_clock(self) -> None:
        self._seconds = {"data_wait": 0.0, "compute": 0.0, "evaluation": 0.0}
        self._start = time.perf_counter()

    def _time_split(self) -> Scalars:
        seconds = time.perf_counter() - self._start - self._seconds["evaluation"]
        shares = {
            f"time/{name}_share": self._seconds[name] / seconds for name in ("data_wait", "compute")
        }
        shares["time/rest_share"] = max(0.0, 1.0 - sum(shares.values()))
        shares["time/steps_per_second"] = len(self._interval) / seconds
        self._restart_clock()
        return shares

    def _report(self) -> None:
        if self._closed is None:
            return
        step, interval, time_split = self._closed
        self._closed = None
        total = functools.reduce(metrics_lib.merge, jax.device_get(interval))
        self._observer.on_log(step, metrics_lib.compute(total) | time_split)


def evaluate(
    eval_step: Callable[[TrainState, Batch], Output],
    state: TrainState,
    batches: Iterable[Batch],
) -> Iterator[Output]:
    """Runs `eval_step` over `batches` and yields each output on the host, one batch late."""
    previous = None
    for batch in batches:
        output = eval_step(state, batch)
        if previous is not None:
            yield jax.device_get(previous)
        previous = output
    if previous is not None:
        yield jax.device_get(previous)
