"""The results of the evaluation of a split: metrics, and logits and errors of every video."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from scenic_video.data.input.views import Views
from scenic_video.evaluators.evaluator import Result


@dataclasses.dataclass(frozen=True)
class SplitResult(Result):
    """The results of the evaluation of a split.

    `logits` are per head [N, C], zeros where `readable` [N] is False; empty for a task without
    classes. `present` has an array [N] for each modality that an example may lack, such as audio:
    False where a video lacks it or cannot be read. `modalities` are the inputs of the model.
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
    present: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def heading(self, name: str) -> str:
        """Such as "test, 4x3 views"."""
        return f"{name}, {self.views} views"

    def file_name(self, name: str) -> str:
        """Such as "test_4x3"."""
        return f"{name}_{self.views}"

    @property
    def counted(self) -> np.ndarray:
        """The examples [N] that the metrics include: readable ones with an input of the model."""
        if not self._may_lack_all:
            return self.readable
        has_some = np.stack([self.present[name] for name in self.modalities]).any(axis=0)
        return self.readable & has_some

    @property
    def _may_lack_all(self) -> bool:
        """Whether an example may lack all inputs of the model."""
        return all(name in self.present for name in self.modalities)

    @property
    def num_without(self) -> dict[str, int]:
        """How many readable videos lack each of the modalities in `present`."""
        return {name: int((self.readable & ~x).sum()) for name, x in self.present.items()}

    @property
    def summary(self) -> dict[str, Any]:
        """The contents of the results file."""
        without = {f"num_without_{name}": number for name, number in self.num_without.items()}
        return {
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "step": self.step,
            "split": self.split,
            "views": str(self.views),
            "metrics": self.metrics,
            "num_examples": len(self.ids),
            "num_unreadable": int((~self.readable).sum()),
            **without,
            "unreadable": self.unreadable,
        }

    @property
    def coverage(self) -> str:
        """Such as "decoded 398 of 400", and "; 12 without audio" if audio is an input."""
        decoded = f"decoded {int(self.readable.sum())} of {len(self.ids)}"
        if not self.present:
            return decoded
        lacking = ", ".join(f"{number} without {name}" for name, number in self.num_without.items())
        left_out = ", not counted" if self._may_lack_all else ""
        return f"{decoded}; {lacking}{left_out}"

    @property
    def counts(self) -> Mapping[str, int]:
        counts = {"videos decoded": int(self.readable.sum()), "videos": len(self.ids)}
        return counts | {f"videos without {k}": number for k, number in self.num_without.items()}

    @property
    def remarks(self) -> list[str]:
        """The unreadable videos, with errors."""
        return [f"unreadable: {video['id']}: {video['error']}" for video in self.unreadable]

    @property
    def arrays(self) -> dict[str, Any]:
        arrays: dict[str, Any] = {"ids": self.ids, "readable": self.readable}
        arrays |= {f"logits/{head}": x for head, x in self.logits.items()}
        return arrays | {f"has_{name}": x for name, x in self.present.items()}

    def confusion(self, head: str, num_classes: int) -> np.ndarray:
        """Counts [true, predicted] of one head with one label per example."""
        table = np.zeros((num_classes, num_classes), np.int64)
        true = np.array([ids[0] for ids in self.labels[head]])[self.counted]
        np.add.at(table, (true, self.logits[head][self.counted].argmax(axis=-1)), 1)
        return table


def probabilities(logits: np.ndarray, *, multilabel: bool) -> np.ndarray:
    """Softmax over the classes, the last axis, or a sigmoid for each class if `multilabel`."""
    with np.errstate(over="ignore"):
        if multilabel:
            return 1 / (1 + np.exp(-logits))
        exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return exponentials / exponentials.sum(axis=-1, keepdims=True)
