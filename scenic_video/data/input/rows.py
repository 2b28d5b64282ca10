"""Loads an example as one row of a batch, and handles unreadable files."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scenic_video.data.decoding.deadline import NoAnswer, with_deadline
from scenic_video.data.decoding.video_reader import UnreadableVideo
from scenic_video.data.examples import Example, LabelSpace
from scenic_video.data.input.bad_files import BadFile
from scenic_video.data.input.geometry import Geometry
from scenic_video.data.input.preprocessing import Inputs, Preprocessing
from scenic_video.data.input.views import Views
from scenic_video.data.sources.agreement import check_labels
from scenic_video.errors import UserError

MAX_ATTEMPTS = 8


class BatchRow(NamedTuple):
    """One row of a host batch, and the unreadable examples that it replaces."""

    arrays: dict[str, Any]
    bad_files: tuple[BadFile, ...] = ()


@dataclasses.dataclass(frozen=True)
class TrainingRow:
    """Loads element `index` of the endless training order, which is the example at `position`.

    All randomness comes from (seed, index). An unreadable video is replaced by one chosen from
    (seed, index, attempt).
    """

    examples: Sequence[Example]
    labels: LabelSpace
    preprocessing: Preprocessing
    seed: int
    geometry: Geometry = Geometry()
    decode_timeout: float | int = 60.0

    def __call__(self, index: int, position: int) -> BatchRow:
        bad_files = []
        for attempt in range(MAX_ATTEMPTS):
            rng = row_rng(self.seed, index, attempt=attempt)
            if attempt:
                position = int(rng.integers(len(self.examples)))
            example = self.examples[position]
            try:
                inputs = self._inputs(example, rng)
            except (UnreadableVideo, NoAnswer) as error:
                bad_files.append(BadFile.of(example, index=position, error=error))
                continue
            return BatchRow(_arrays(inputs, label_arrays(example, self.labels)), tuple(bad_files))
        raise UserError(
            f"No replacement found: {MAX_ATTEMPTS} examples in a row cannot be read:\n"
            + "\n".join(f"  {bad_file}" for bad_file in bad_files)
        )

    def _inputs(self, example: Example, rng: np.random.Generator) -> Inputs:
        decode = functools.partial(self.preprocessing.train_inputs, example, rng, self.geometry)
        return with_deadline(decode, self.decode_timeout)


@dataclasses.dataclass(frozen=True)
class EvaluationRow:
    """Loads the views of the example at `position`, which is decoded once.

    A position after the last example is padding: zeros, mask 0, index -1. An unreadable video is
    zeros with mask 0 under its own index; it is not replaced.
    """

    examples: Sequence[Example]
    labels: LabelSpace
    preprocessing: Preprocessing
    views: Views = Views()
    decode_timeout: float | int = 60.0

    def __call__(self, position: int) -> BatchRow:
        if position >= len(self.examples):
            return self._blank(no_labels(self.labels), index=-1)
        example = self.examples[position]
        label = label_arrays(example, self.labels)
        try:
            inputs = self._inputs(example)
        except (UnreadableVideo, NoAnswer) as error:
            bad_file = BadFile.of(example, index=position, error=error)
            return self._blank(label, index=position)._replace(bad_files=(bad_file,))
        return BatchRow(_arrays(inputs, label) | {"index": np.int32(position)})

    def _inputs(self, example: Example) -> Inputs:
        decode = functools.partial(
            self.preprocessing.eval_inputs,
            example,
            num_clips=self.views.num_clips,
            num_crops=self.views.num_crops,
        )
        return with_deadline(decode, self.decode_timeout)

    def _blank(self, label: dict[str, np.ndarray], *, index: int) -> BatchRow:
        inputs = self.preprocessing.blank_inputs(self.views.num_clips * self.views.num_crops)
        return BatchRow(_arrays(inputs, label, mask=0.0) | {"index": np.int32(index)})


def row_rng(seed: int, index: int, *, attempt: int = 0) -> np.random.Generator:
    """The generator of one row. Attempts are parts of one Philox stream, 2^192 apart."""
    return np.random.Generator(np.random.Philox(key=[seed, index], counter=[0, 0, 0, attempt]))


def label_arrays(example: Example, labels: LabelSpace) -> dict[str, np.ndarray]:
    """Head -> class id (int32 scalar), or zeros and ones [C] (float32) if multi-label.

    Errors: UserError if the labels of the example are not classes of `labels`.
    """
    check_labels(example, labels)
    if labels.multilabel:
        return {
            head: _multi_hot(example.labels[head], num_classes)
            for head, num_classes in labels.num_classes.items()
        }
    return {head: np.array(example.labels[head][0], np.int32) for head in labels.classes}


def _arrays(inputs: Inputs, label: dict[str, np.ndarray], mask: float = 1.0) -> dict[str, Any]:
    return {"inputs": inputs, "label": label, "mask": np.float32(mask)}


def _multi_hot(ids: Sequence[int], num_classes: int) -> np.ndarray:
    row = np.zeros(num_classes, np.float32)
    row[list(ids)] = 1.0
    return row


def no_labels(labels: LabelSpace) -> dict[str, np.ndarray]:
    """The padding for `label_arrays`: class 0, or zeros if multi-label."""
    if labels.multilabel:
        return {head: _multi_hot((), count) for head, count in labels.num_classes.items()}
    return {head: np.array(0, np.int32) for head in labels.classes}
