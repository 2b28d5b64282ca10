"""The training loop: steps, logs, evaluations and checkpoints."""

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol, runtime_checkable

import jax

from scenic_video import metrics as metrics_lib
from scenic_video.config import check_fields
from scenic_video.errors import RunFailed
from scenic_video.field_types import PositiveInt
from scenic_video.tasks.task import Batch
from scenic_video.trainer import TrainerOptions, TrainState

Scalars = dict[str, float]


class NonFiniteLoss(RunFailed):
    """Loss, gradient or update was not finite for too many steps in a row, up to `step`."""

    def __init__(self, step: int, in_a_row: int):
        super().__init__(
            f"Loss, gradient or update was not finite for {in_a_row} steps in a row, the last "
            f"of them step {step}. None of them changed the model. Try a lower learning rate."
        )
        self.steps = range(step - in_a_row + 1, step + 1)


class NoWeight(RunFailed):
    """No example of `steps` counted, since the masks of all were 0."""

    def __init__(self, steps: range):
        super().__init__(
            f"None of the examples of steps {steps[0]} to {steps[-1]} counted: all were masked, so "
            "nothing is learned."
        )
        self.steps = steps


@runtime_checkable
class Observer(Protocol):
    """Receives logs and evaluations, such as a file writer or a progress bar."""

    def on_log(self, step: int, scalars: Scalars) -> None: ...

    def on_evaluation(self, step: int, scalars: Scalars) -> None: ...


@dataclasses.dataclass(frozen=True)
class Cadence:
    """The steps at which the loop logs, evaluates and saves."""

    num_steps: PositiveInt
    log_every: PositiveInt
    eval_every: PositiveInt
    checkpoint_every: PositiveInt

    def __post_init__(self):
        check_fields(self)

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

        One also ends where a checkpoint is saved, so that a resumed run has the same logs as an
        uninterrupted one.
        """
        return self.due(step, self.log_every) or self.due(step, self.checkpoint_every)


class PeriodicEvaluation(NamedTuple):
    """An evaluation of the state every `every` steps, which returns numbers by name."""

    every: int
    evaluate: Callable[[TrainState], Scalars]


@dataclasses.dataclass(frozen=True)
class Hooks:
    """What the loop calls between steps.

    `save` gets the results of the evaluations at its step; `should_stop` is called after every
    step.
    """

    evaluations: Sequence[PeriodicEvaluation]
    save: Callable[[TrainState, Scalars], None]
    observer: Observer
    should_stop: Callable[[int], bool]


def train(
    state: TrainState,
    *,
    train_step: Callable[[TrainState, Batch], tuple[TrainState, dict[str, metrics_lib.Metric]]],
    batches: Iterator[Batch],
    cadence: Cadence,
    hooks: Hooks,
    max_bad_steps: int,
) -> TrainState:
    """Trains from `state.step` to the last step of `cadence`, or until a hook requests a stop.

    `batches` starts at the batch of the next step. Metrics stay on the device and are read one
    step late, so that the host never waits for the step that it has just dispatched. On a request
    to stop, the loop saves and returns. Errors: NonFiniteLoss or NoWeight after `max_bad_steps`
    in a row that do not change the model.
    """
    is_new = int(state.step) == 0
    with _IntervalLog(hooks.observer, max_bad_steps) as log:
        stop = False
        for step in range(int(state.step) + 1, cadence.num_steps + 1):
            requested = time.perf_counter()
            batch = next(batches)
            arrived = time.perf_counter()
            state, step_metrics = train_step(state, batch)
            stop = hooks.should_stop(step)
            closes = stop or cadence.closes_interval(step)
            log.add(
                step,
                step_metrics,
                state.bad_steps,
                requested=requested,
                arrived=arrived,
                closes=closes,
            )

            numbers: Scalars = {}
            due = [e for e in hooks.evaluations if cadence.due(step, e.every)]
            if due and not stop:
                log.flush()
                with log.paused():
                    for evaluation in due:
                        numbers |= evaluation.evaluate(state)
                hooks.observer.on_evaluation(step, numbers)
            if cadence.due(step, cadence.checkpoint_every) or stop:
                log.flush()
                hooks.save(state, numbers)
            if stop:
                break
        log.flush()
        if is_new and not stop:
            log.check_weight(at_most=cadence.num_steps)
    return state


class _Step(NamedTuple):
    """A dispatched step: its results and times in seconds.

    `requested` and `arrived` are those of its batch; `done` is set once the device has finished.
    """

    step: int
    metrics: dict[str, metrics_lib.Metric]
    bad_steps: jax.Array
    requested: float
    arrived: float
    done: Future[float]


class _IntervalLog:
    """Keeps the metrics of the open interval on the device and reports closed ones a step late.

    A thread records when each step is done, to distinguish a device that waits for data from a host
    that waits for the device.
    """

    def __init__(self, observer: Observer, max_bad_steps: int):
        self._observer = observer
        self._max_bad_steps = max_bad_steps
        self._watch = ThreadPoolExecutor(1, thread_name_prefix="steps")
        self._unchecked: list[_Step] = []
        self._open: list[_Step] = []
        self._closed: list[_Step] = []
        self._weightless = range(0)
        self._before = time.perf_counter()
        self._paused = 0.0

    def __enter__(self) -> "_IntervalLog":
        return self

    def __exit__(self, *exception: object) -> None:
        self._watch.shutdown(wait=True)

    def add(
        self,
        step: int,
        step_metrics: dict[str, metrics_lib.Metric],
        bad_steps: jax.Array,
        *,
        requested: float,
        arrived: float,
        closes: bool,
    ) -> None:
        # A copy, since the state that holds it is donated to the next step.
        bad_steps = bad_steps + 0
        done = self._watch.submit(_time_when_ready, bad_steps)
        entry = _Step(step, step_metrics, bad_steps, requested, arrived, done)
        self._unchecked.append(entry)
        self._check(run_ahead=2)
        self._report()
        self._open.append(entry)
        if closes:
            self._closed, self._open = self._open, []

    def flush(self) -> None:
        """Reports closed intervals without waiting for the next step."""
        self._check(run_ahead=0)
        self._report()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Excludes time that is not training."""
        start = time.perf_counter()
        yield
        self._paused += time.perf_counter() - start

    def _check(self, run_ahead: int) -> None:
        """Waits for all but the last `run_ahead` steps, and stops after too many bad ones."""
        while len(self._unchecked) > run_ahead:
            entry = self._unchecked.pop(0)
            in_a_row = int(jax.device_get(entry.bad_steps))
            if in_a_row >= self._max_bad_steps:
                raise NonFiniteLoss(entry.step, in_a_row)

    def _report(self) -> None:
        if not self._closed:
            return
        steps, self._closed = self._closed, []
        interval = jax.device_get([entry.metrics for entry in steps])
        total = functools.reduce(metrics_lib.merge, interval)
        scalars = metrics_lib.compute(total) | self._time_split(steps)
        self._observer.on_log(steps[-1].step, scalars)
        first = self._weightless.start if self._weightless else steps[0].step
        counted = getattr(total.get("loss"), "weight", 1.0) > 0
        self._weightless = range(0) if counted else range(first, steps[-1].step + 1)
        self.check_weight(at_most=self._max_bad_steps)

    def check_weight(self, at_most: int) -> None:
        """Errors: NoWeight if the last `at_most` steps had no example that counts."""
        if len(self._weightless) >= at_most:
            raise NoWeight(self._weightless)

    def _time_split(self, steps: list[_Step]) -> Scalars:
        """The shares of time in which the device waited for data, computed, and was otherwise
        idle."""
        start = before = self._before
        data_wait = compute = 0.0
        for entry in steps:
            done = entry.done.result()
            data_wait += max(0.0, entry.arrived - max(entry.requested, before))
            compute += max(0.0, done - max(entry.arrived, before))
            before = done
        self._before = before
        seconds = max(before - start - self._paused, 1e-9)
        self._paused = 0.0
        shares = {"data_wait": data_wait / seconds, "compute": compute / seconds}
        shares["rest"] = max(0.0, 1.0 - sum(shares.values()))
        split = {f"time/{name}_share": share for name, share in shares.items()}
        return split | {"time/steps_per_second": len(steps) / seconds}


def _time_when_ready(x: jax.Array) -> float:
    jax.block_until_ready(x)
    return time.perf_counter()
