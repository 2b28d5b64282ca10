"""Evaluates a state on a split: metrics and, of classifiers, the logits of every video."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from scenic_video import loop, metrics
from scenic_video.console import Terminal
from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.data.input.batches import eval_batches
from scenic_video.data.input.feed import Feed
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.input.rows import EvaluationRow
from scenic_video.data.input.views import Views
from scenic_video.errors import UserError
from scenic_video.runs.device_batches import put_on
from scenic_video.runs.evaluation.result_files import write_results
from scenic_video.runs.options import EvaluationOptions
from scenic_video.sharding import local_rows
from scenic_video.tasks.presence import only_hears
from scenic_video.tasks.task import Output
from scenic_video.trainer import Steps, TrainState


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a split gave.

    `logits` are per head [N, C], zeros where `readable` [N] is False; a task that predicts no
    classes has none. `has_audio` [N] is there where the model hears: False where a video is silent,
    has no audio, or cannot be read. `modalities` are those that the model was shown.
    """

    dataset: str
    fingerprint: str
    step: int
    split: str
    views: Views
    metrics: dict[str, float]
    ids: list[str]
    labels: dict[str, list[tuple[int, ...]]]
    logits: dict[str, np.ndarray]
    readable: np.ndarray
    unreadable: list[dict[str, str]]
    modalities: tuple[str, ...]
    has_audio: np.ndarray | None = None

    @property
    def counted(self) -> np.ndarray:
        """Which examples [N] the metrics are of: those that hold something the model was shown."""
        if self.has_audio is None or not only_hears(self.modalities):
            return self.readable
        return self.readable & self.has_audio

    @property
    def num_without_audio(self) -> int:
        """How many videos could be read but not heard; 0 where the model does not listen."""
        return 0 if self.has_audio is None else int((self.readable & ~self.has_audio).sum())

    @property
    def summary(self) -> dict[str, Any]:
        """What the results file says."""
        heard = {} if self.has_audio is None else {"num_without_audio": self.num_without_audio}
        return {
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "step": self.step,
            "split": self.split,
            "views": str(self.views),
            "metrics": self.metrics,
            "num_examples": len(self.ids),
            "num_unreadable": int((~self.readable).sum()),
            **heard,
            "unreadable": self.unreadable,
        }

    @property
    def coverage(self) -> str:
        """Such as "decoded 398 of 400", and "; 12 without audio" where the model hears."""
        decoded = f"decoded {int(self.readable.sum())} of {len(self.ids)}"
        if self.has_audio is None:
            return decoded
        left_out = ", not counted" if only_hears(self.modalities) else ""
        return f"{decoded}; {self.num_without_audio} without audio{left_out}"

    def confusion(self, head: str, num_classes: int) -> np.ndarray:
        """Counts [true, predicted] of one head with one label an example."""
        table = np.zeros((num_classes, num_classes), np.int64)
        true = np.array([ids[0] for ids in self.labels[head]])[self.counted]
        np.add.at(table, (true, self.logits[head][self.counted].argmax(axis=-1)), 1)
        return table

    def write(self, folder: Path, *, prefix: str = "") -> Path:
        """Writes <split>_<views>.json and, with what is known of every video, .npz."""
        path = folder / f"{prefix}{self.split}_{self.views}.json"
        arrays: dict[str, Any] = {"ids": self.ids, "readable": self.readable}
        arrays |= {f"logits/{head}": x for head, x in self.logits.items()}
        if self.has_audio is not None:
            arrays["has_audio"] = self.has_audio
        return write_results(path, self.summary, arrays)


def evaluate_split(
    steps: Steps,
    state: TrainState,
    *,
    split: str,
    dataset: Dataset,
    examples: Sequence[Example],
    labels: LabelSpace,
    preprocessing: Preprocessing,
    modalities: Sequence[str],
    options: EvaluationOptions,
    views: Views,
    num_threads: int | None = None,
    decode_timeout: float | int = 60.0,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Every example of `examples` once, all views of a video from one decode.

    `modalities` are those of the inputs that the task shows its model. `on_batch(done, total)`
    hears of every batch. Unreadable videos are left out of the metrics and named; nothing stands in
    for them. Errors: ValueError where none can be read.
    """
    batch_size, num_examples = options.batch_size, len(examples)
    has_audio = np.zeros(num_examples, bool)
    load = EvaluationRow(examples, labels, preprocessing, views, decode_timeout)
    with eval_batches(
        load,
        batch_size=batch_size,
        rows=local_rows(steps.mesh, batch_size),
        num_threads=num_threads,
    ) as batches:
        feed = Feed(_noting_audio(batches, has_audio), put_on(steps.mesh, batch_size))
        outputs = []
        for output in loop.evaluate(steps.evaluate, state, feed):
            outputs.append(output._replace(model_state={}))
            on_batch(len(outputs), len(batches))
        words = {bad_file.index: bad_file.error for bad_file in batches.bad_files}
    readable = np.isin(np.arange(num_examples), list(words), invert=True)
    readable, has_audio = _on_all_hosts(readable, has_audio)
    unreadable = _unreadable(examples, readable, words)
    if not readable.any():
        raise UserError(
            f"There is nothing to evaluate: none of the {num_examples} examples of {split!r} can "
            f"be read. The first, {unreadable[0]['id']}: {unreadable[0]['error']}"
        )
    total, logits = _gathered(outputs, num_examples)
    return Evaluation(
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        step=int(jax.device_get(state.step)),
        split=split,
        views=views,
        metrics=metrics.compute(total),
        ids=[example.id for example in examples],
        labels={head: [e.labels[head] for e in examples] for head in labels.classes},
        logits={head: np.where(readable[:, None], x, 0.0) for head, x in logits.items()},
        readable=readable,
        unreadable=unreadable,
        modalities=tuple(modalities),
        has_audio=None if preprocessing.audio is None else has_audio,
    )


def _gathered(
    outputs: Sequence[Output], num_examples: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The metrics merged over batches, and the logits of every example without the padding."""
    total = functools.reduce(metrics.merge, [output.metrics for output in outputs])
    predictions = [output.predictions for output in outputs]
    return total, jax.tree.map(lambda *parts: np.concatenate(parts)[:num_examples], *predictions)


def _unreadable(
    examples: Sequence[Example], readable: np.ndarray, words: Mapping[int, str]
) -> list[dict[str, str]]:
    """Which examples could not be read, and why as far as this host knows."""
    return [
        {"id": examples[i].id, "error": words.get(i, "see the log of the host that read it")}
        for i in np.flatnonzero(~readable).tolist()
    ]


def probabilities(logits: np.ndarray, *, multilabel: bool) -> np.ndarray:
    """Softmax over the classes, the last axis, or each class on its own where labels are many."""
    with np.errstate(over="ignore"):
        if multilabel:
            return 1 / (1 + np.exp(-logits))
        exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _noting_audio(
    batches: Iterable[dict[str, Any]], has_audio: np.ndarray
) -> Iterator[dict[str, Any]]:
    """What the task gets of `batches`; sets `has_audio` [N] where some view of an example has."""
    for batch in batches:
        index = batch["index"]
        if "has_audio" in batch["inputs"]:
            heard = batch["inputs"]["has_audio"].max(axis=1) > 0
            has_audio[index[heard & (index >= 0)]] = True
        yield {name: value for name, value in batch.items() if name != "index"}


def _on_all_hosts(readable: np.ndarray, has_audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What all hosts could read, and any could hear: each knows of the rows that it feeds."""
    if jax.process_count() > 1:
        readable = multihost_utils.process_allgather(readable).all(axis=0)
        has_audio = multihost_utils.process_allgather(has_audio).any(axis=0)
    return readable, has_audio


def show(evaluation: Evaluation, path: Path, terminal: Terminal) -> None:
    """Prints the results, how many videos stand behind them, and which could not be read."""
    title = f"{evaluation.split}, {evaluation.views} views, {evaluation.coverage}"
    terminal.results(title, evaluation.metrics)
    for video in evaluation.unreadable:
        terminal.line(f"unreadable: {video['id']}: {video['error']}")
    terminal.line(f"Results: {path}")
