"""The evaluation of a split: the metrics of the task, and the logits of classifiers."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

from scenic_video import metrics
from scenic_video.config import check_fields
from scenic_video.data.examples import Example, split_of
from scenic_video.data.input.views import Views
from scenic_video.errors import UserError
from scenic_video.evaluators.evaluator import Every, OnBatch, Run, ignore_batch
from scenic_video.evaluators.presence import Presence
from scenic_video.evaluators.reading import Reading
from scenic_video.evaluators.split_result import SplitResult
from scenic_video.field_types import PositiveInt
from scenic_video.sharding import check_divides
from scenic_video.tasks.presence import shown_modalities
from scenic_video.tasks.task import Batch, Output
from scenic_video.trainer import EvalStep, TrainState


@dataclasses.dataclass(frozen=True)
class SplitEvaluation:
    """The task's metrics on a split: every example once, averaged over `views` such as 4x3.

    `split` and `batch_size`, which is global, are by default those of the run's own evaluation.
    Unreadable videos are named and left out of the metrics, not replaced. Errors: UserError if none
    can be read.
    """

    run: Run
    split: str = ""
    views: str = "1x1"
    batch_size: PositiveInt | None = None
    every: Every = None

    def __post_init__(self):
        check_fields(self)
        Views.parse(self.views)
        reading = self._reading
        check_divides("SplitEvaluation.batch_size", reading.batch_size, self.run.mesh)

    def __call__(self, state: TrainState, *, on_batch: OnBatch = ignore_batch) -> SplitResult:
        examples, dataset = self._reading.examples, self.run.dataset
        read = self._read(state, on_batch)
        total, logits = _gathered(read.outputs, len(examples))
        return SplitResult(
            step=int(jax.device_get(state.step)),
            metrics=metrics.compute(total),
            dataset=dataset.name,
            fingerprint=dataset.fingerprint,
            split=self._split,
            views=Views.parse(self.views),
            ids=[example.id for example in examples],
            labels={head: [e.labels[head] for e in examples] for head in dataset.labels.classes},
            logits={head: np.where(read.readable[:, None], x, 0.0) for head, x in logits.items()},
            readable=read.readable,
            unreadable=read.unreadable,
            modalities=shown_modalities(self.run.task, self.run.preprocessing.modalities),
            present=read.present,
        )

    def _read(self, state: TrainState, on_batch: OnBatch) -> "_Read":
        """Evaluates every batch. Errors: UserError where no example can be read."""
        reading = self._reading
        present = Presence(self.run.preprocessing.modalities, len(reading.examples))
        with reading.open() as batches:
            feed = reading.on_devices(present.recorded(batches))
            outputs = []
            for output in _outputs(self.run.eval_step, state, feed):
                outputs.append(output._replace(model_state={}))
                on_batch(len(outputs), len(batches))
        errors = {bad_file.index: bad_file.error for bad_file in batches.bad_files}
        readable = np.isin(np.arange(len(reading.examples)), list(errors), invert=True)
        readable = _everywhere(readable)
        unreadable = _unreadable(reading.examples, readable, errors)
        if not readable.any():
            raise UserError(
                f"There is nothing to evaluate: none of the {len(readable)} examples of "
                f"{self._split!r} can be read. The first, {unreadable[0]['id']}: "
                f"{unreadable[0]['error']}"
            )
        return _Read(outputs, readable, unreadable, present.on_all_hosts())

    @property
    def num_views(self) -> int:
        views = Views.parse(self.views)
        return views.num_clips * views.num_crops

    @property
    def global_batch_size(self) -> int:
        return self.batch_size or self.run.batch_size

    @property
    def _split(self) -> str:
        return self.split or self.run.test_split

    @property
    def _reading(self) -> Reading:
        return Reading(
            self.run,
            split_of(self.run.dataset, self._split),
            self.run.dataset.labels,
            Views.parse(self.views),
            self.global_batch_size,
        )


class _Read(NamedTuple):
    """The outputs of all batches, and which of the N examples they are of."""

    outputs: list[Output]
    readable: np.ndarray
    unreadable: list[dict[str, str]]
    present: Mapping[str, np.ndarray]


def _outputs(eval_step: EvalStep, state: TrainState, batches: Iterable[Batch]) -> Iterator[Output]:
    """Yields the output of each batch on the host, a batch late, so that devices stay busy."""
    previous = None
    for batch in batches:
        output = eval_step(state, batch)
        if previous is not None:
            yield jax.device_get(previous)
        previous = output
    if previous is not None:
        yield jax.device_get(previous)


def _gathered(
    outputs: Sequence[Output], num_examples: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The metrics merged over batches, and the logits of every example without the padding."""
    total = functools.reduce(metrics.merge, [output.metrics for output in outputs])
    predictions = [output.predictions for output in outputs]
    return total, jax.tree.map(lambda *parts: np.concatenate(parts)[:num_examples], *predictions)


def _unreadable(
    examples: Sequence[Example], readable: np.ndarray, errors: Mapping[int, str]
) -> list[dict[str, str]]:
    """The unreadable examples, with the errors of this host."""
    return [
        {"id": examples[i].id, "error": errors.get(i, "see the log of the host that read it")}
        for i in np.flatnonzero(~readable).tolist()
    ]


def _everywhere(readable: np.ndarray) -> np.ndarray:
    """The examples that all hosts could read, since each has errors of its own rows only."""
    if jax.process_count() > 1:
        return multihost_utils.process_allgather(readable).all(axis=0)
    return readable
