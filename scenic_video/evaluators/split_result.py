"""The results of the evaluation of a split: metrics, and logits and errors of every video."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from scenic_video.data.input.views import Views
from scenic_video.evaluators.evaluator import Result
from scenic_video.tasks.presence import is_audio_only


@dataclasses.dataclass(frozen=True)
class SplitResult(Result):
    """The results of the evaluation of a split.

    `logits` are per head [N, C], zeros where `readable` [N] is False; empty for a task without
    classes. `has_audio` [N] is set if audio is an input: False where a video is silent, has no
    audio, or cannot be read. `modalities` are the inputs of the model.
    """

    dataset: str
    fingerprint: str
    split: str
    views: Views
    ids: list[str]
    labels: dict[str, list[tuple[int, ...]]]
    logits: dict[str, np.ndarray]
    readable: np.ndarray
    unreadable: list[dict[str, str]]
    modalities: tuple[str, ...]
    has_audio: np.ndarray | None = None

    def heading(self, name: str) -> str:
        """Such as "test, 4x3 views"."""
        return f"{name}, {self.views} views"

    def file_name(self, name: str) -> str:
        """Such as "test_4x3"."""
        return f"{name}_{self.views}"

    @property
    def counted(self) -> np.ndarray:
        """The examples [N] that the metrics include: readable ones with an input of the model."""
        if self.has_audio is None or not is_audio_only(self.modalities):
            return self.readable
        return self.readable & self.has_audio

    @property
    def num_without_audio(self) -> int:
        """The number of readable videos without audio; 0 if audio is not an input."""
        return 0 if self.has_audio is None else int((self.readable & ~self.has_audio).sum())

    @property
    def summary(self) -> dict[str, Any]:
        """The contents of the results file."""
        audio = {} if self.has_audio is None else {"num_without_audio": self.num_without_audio}
        return {
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "step": self.step,
            "split": self.split,
            "views": str(self.views),
            "metrics": self.metrics,
            "num_examples": len(self.ids),
            "num_unreadable": int((~self.readable).sum()),
            **audio,
            "unreadable": self.unreadable,
        }

    @property
    def coverage(self) -> str:
        """Such as "decoded 398 of 400", and "; 12 without audio" if audio is an input."""
        decoded = f"decoded {int(self.readable.sum())} of {len(self.ids)}"
        if self.has_audio is None:
            return decoded
        left_out = ", not counted" if is_audio_only(self.modalities) else ""
        return f"{decoded}; {self.num_without_audio} without audio{left_out}"

    @property
    def counts(self) -> Mapping[str, int]:
        counts = {"videos decoded": int(self.readable.sum()), "videos": len(self.ids)}
        if self.has_audio is not None:
            counts["videos without audio"] = self.num_without_audio
        return counts

    @property
    def remarks(self) -> list[str]:
        """The unreadable videos, with errors."""
        return [f"unreadable: {video['id']}: {video['error']}" for video in self.unreadable]

    @property
    def arrays(self) -> dict[str, Any]:
        arrays: dict[str, Any] = {"ids": self.ids, "readable": self.readable}
        arrays |= {f"logits/{head}": x for head, x in self.logits.items()}
        if self.has_audio is not None:
            arrays["has_audio"] = self.has_audio
        return arrays

    def confusion(self, head: str, num_classes: int) -> np.ndarray:
        """Counts [true, predicted] of one head with one label an example."""
        table = np.zeros((num_classes, num_classes), np.int64)
        true = np.array([ids[0] for ids in self.labels[head]])[self.counted]
        np.add.at(table, (true, self.logits[head][self.counted].argmax(axis=-1)), 1)
        return table


def probabilities(logits: np.ndarray, *, multilabel: bool) -> np.ndarray:
    """Softmax over the classes, the last axis, or each class on its own where labels are many."""
    with np.errstate(over="ignore"):
        if multilabel:
            return 1 / (1 + np.exp(-logits))
        exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return exponentials / exponentials.sum(axis=-1, keepdims=True)
