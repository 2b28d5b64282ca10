"""Evaluates a state on a split: metrics, and the logits of every video, each counted once."""

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from scenic_video import loop, metrics
from scenic_video.commands.experiment import put_on
from scenic_video.commands.options import EvaluationOptions
from scenic_video.console import Terminal
from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.data.feed import Feed
from scenic_video.data.pipeline import eval_batches
from scenic_video.data.preprocessing import Preprocessing
from scenic_video.sharding import local_rows
from scenic_video.trainer import Steps, TrainState
from scenic_video.views import Views


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a split gave. `logits` are per head [N, C], zeros where `readable` [N] is False."""

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

    @property
    def summary(self) -> dict[str, Any]:
        """What the results file says."""
        return {
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "step": self.step,
            "split": self.split,
            "views": str(self.views),
            "metrics": self.metrics,
            "num_examples": len(self.ids),
            "num_unreadable": int((~self.readable).sum()),
            "unreadable": self.unreadable,
        }

    @property
    def coverage(self) -> str:
        """Such as "decoded 398 of 400"."""
        return f"decoded {int(self.readable.sum())} of {len(self.ids)}"

    def confusion(self, head: str, num_classes: int) -> np.ndarray:
        """Counts [true, predicted] of one head with one label an example."""
        table = np.zeros((num_classes, num_classes), np.int64)
        true = np.array([ids[0] for ids in self.labels[head]])[self.readable]
        np.add.at(table, (true, self.logits[head][self.readable].argmax(axis=-1)), 1)
        return table

    def write(self, folder: Path, *, prefix: str = "") -> Path:
        """Writes <split>_<views>.json and, with the logits of every video, .npz."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{prefix}{self.split}_{self.views}.json"
        path.write_text(json.dumps(self.summary, indent=2) + "\n")
        arrays: dict[str, Any] = {f"logits/{head}": x for head, x in self.logits.items()}
        np.savez(path.with_suffix(".npz"), ids=self.ids, readable=self.readable, **arrays)
        return path


def evaluate_split(
    steps: Steps,
    state: TrainState,
    *,
    split: str,
    dataset: Dataset,
    examples: Sequence[Example],
    labels: LabelSpace,
    preprocessing: Preprocessing,
    options: EvaluationOptions,
    views: Views,
    num_threads: int | None = None,
    decode_timeout: float | int = 60.0,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Every example of `examples` once, all views of a video from one decode.

    `on_batch(done, total)` hears of every batch. Unreadable videos are left out of the metrics
    and named; nothing stands in for them.
    """
    batch_size = options.batch_size
    outputs, kept = [], []
    with eval_batches(
        examples,
        labels,
        preprocessing,
        batch_size=batch_size,
        num_clips=views.num_clips,
        num_crops=views.num_crops,
        rows=local_rows(steps.mesh, batch_size),
        num_threads=num_threads,
        decode_timeout=decode_timeout,
    ) as batches:
        inputs = map(_without_index, batches)
        feed = Feed(inputs, put_on(steps.mesh, batch_size))
        for output in loop.evaluate(steps.evaluate, state, feed):
            kept.append(output.predictions)
            outputs.append(output.metrics)
            on_batch(len(kept), len(batches))
        bad_files = batches.bad_files
    total = functools.reduce(metrics.merge, outputs)
    readable = _readable(len(examples), [bad_file.index for bad_file in bad_files])
    logits = jax.tree.map(lambda *parts: np.concatenate(parts)[: len(examples)], *kept)
    words = {bad_file.index: bad_file.error for bad_file in bad_files}
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
        unreadable=[
            {"id": examples[i].id, "error": words.get(i, "see the log of the host that read it")}
            for i in np.flatnonzero(~readable).tolist()
        ],
    )


def probabilities(logits: np.ndarray, *, multilabel: bool) -> np.ndarray:
    """Softmax over the classes, the last axis, or each class on its own where labels are many."""
    with np.errstate(over="ignore"):
        if multilabel:
            return 1 / (1 + np.exp(-logits))
        exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _without_index(batch: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in batch.items() if name != "index"}


def _readable(num_examples: int, bad: Sequence[int]) -> np.ndarray:
    """Which examples some host could read, the same on every host."""
    readable = np.ones(num_examples, bool)
    readable[list(bad)] = False
    if jax.process_count() > 1:
        readable = multihost_utils.process_allgather(readable).all(axis=0)
    return readable


def show(evaluation: Evaluation, path: Path, terminal: Terminal) -> None:
    """Prints the results, how many videos stand behind them, and which could not be read."""
    title = f"{evaluation.split}, {evaluation.views} views, {evaluation.coverage}"
    terminal.results(title, evaluation.metrics)
    for video in evaluation.unreadable:
        terminal.line(f"unreadable: {video['id']}: {video['error']}")
    terminal.line(f"Results: {path}")
