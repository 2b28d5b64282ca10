"""Few-shot linear evaluation: a linear classifier on frozen features."""

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated

import jax
import numpy as np
from annotated_types import MinLen
from jaxtyping import Int64

from scenic_video.config import ConfigError, check_fields, require
from scenic_video.data.examples import Dataset, Example, Subset, split_of
from scenic_video.data.input.views import Views
from scenic_video.data.sources.datasets import open_dataset
from scenic_video.evaluators.evaluator import Every, OnBatch, Result, Run, ignore_batch
from scenic_video.evaluators.features import Features, compile_features, extract
from scenic_video.evaluators.linear_probe import check_held_out, probe
from scenic_video.evaluators.reading import Reading
from scenic_video.evaluators.selection import Selection
from scenic_video.field_types import Count, Extents, Positive, PositiveInt
from scenic_video.trainer import TrainState

L2 = tuple(2.0**exponent for exponent in range(-10, 21, 2))


@dataclasses.dataclass(frozen=True)
class FewShot:
    """Accuracy of ridge regression on the features of a few examples per class.

    For each of `shots`: "5shot_top1", the mean accuracy over `num_seeds` choices of the examples;
    "5shot_top1_std", its standard deviation over them; and "5shot_l2", the penalty. With several
    heads each has its own numbers, "verb_5shot_top1". Classes with fewer examples use all of them,
    and "5shot_short_classes" is the number of such classes; it is an error if no class has enough.
    Also "test_videos", the number of test videos, and "unreadable", the number of videos in both
    splits that were left out, including those without audio if audio is the only input.

    Test labels are not used for any choice. Of several penalties `l2`, the one with the best mean
    accuracy over seeds on `num_held_out` further training examples per class is used (the largest
    among equals); with one penalty, only the labels of the shots are used. Public code uses the
    penalty that is best on the test splits themselves, of several datasets together. The choice of
    examples depends only on the seed, so evaluations of a run are comparable.

    `dataset` is a node, path or name as in a config, by default that of the run; its splits are by
    default named like those that the run trains on and evaluates. Videos are sampled and cropped as
    in the run, with `views` such as 4x3.
    """

    run: Run
    dataset: Dataset | str | None = None
    train_split: str = ""
    test_split: str = ""
    views: str = "1x1"
    shots: Extents = (1, 5, 10)
    l2: Annotated[Sequence[Positive], MinLen(1)] = L2
    num_held_out: Count = 5
    num_seeds: PositiveInt = 3
    every: Every = None

    def __post_init__(self):
        check_fields(self)
        Views.parse(self.views)
        held_out = f"num_held_out of 1 or more, to choose one of {len(self.l2)} penalties"
        require({held_out: self.num_held_out > 0 or len(self.l2) == 1}, of=self)
        if self._data.labels.multilabel:
            raise ConfigError(
                f"FewShot needs one label per video; {self._data.name!r} has several."
            )
        if not len(self._train) or not len(self._test):
            raise ConfigError(f"FewShot needs videos in both splits of {self._data.name!r}.")
        for head, selections in self._selections.items():
            self._check_shots(head, selections[0])
            check_held_out(selections, self.l2)

    def _check_shots(self, head: str, selection: Selection) -> None:
        """Refuses shots that no class has."""
        counts = [min(len(positions), max(self.shots)) for positions in selection.positions]
        if max(counts) < max(self.shots):
            largest = self._data.labels.classes[head][int(np.argmax(counts))]
            raise ConfigError(
                f"FewShot.shots needs {max(self.shots)} examples per class, but the largest class "
                f"of {head!r} in {self._data.name!r}, {largest!r}, has {max(counts)}. Set fewer "
                "shots."
            )

    def __call__(self, state: TrainState, *, on_batch: OnBatch = ignore_batch) -> Result:
        chosen = Subset(self._train, tuple(self._chosen.tolist()))
        train, test = (self._read(state, x, on_batch) for x in (chosen, self._test))
        num_read = len(train.positions) + len(test.positions)
        unreadable = len(chosen) + len(self._test) - num_read
        metrics = self._probed(train, test)
        metrics |= {"test_videos": len(test.positions), "unreadable": unreadable}
        return Result(int(jax.device_get(state.step)), metrics)

    def _probed(self, train: Features, test: Features) -> dict[str, float]:
        """The numbers of every head and number of shots."""
        rows = np.full(len(self._train), -1)
        rows[self._chosen[train.positions]] = np.arange(len(train.positions))
        metrics: dict[str, float] = {}
        read = {
            head: [x.among(rows) for x in selections]
            for head, selections in self._selections.items()
        }
        for (head, selections), shots in itertools.product(read.items(), self.shots):
            found = probe(
                train.labelled(head),
                test.labelled(head),
                selections,
                shots=shots,
                num_classes=self._data.labels.num_classes[head],
                l2=self.l2,
            )
            name = f"{shots}shot" if len(self._selections) == 1 else f"{head}_{shots}shot"
            if short := max(selection.num_short(shots) for selection in selections):
                found["short_classes"] = short
            metrics |= {f"{name}_{quantity}": value for quantity, value in found.items()}
        return metrics

    def _read(self, state: TrainState, examples: Sequence[Example], on_batch: OnBatch) -> Features:
        views, batch_size = Views.parse(self.views), self.run.batch_size
        reading = Reading(self.run, examples, self._data.labels, views, batch_size)
        return extract(self._features, state, reading, on_batch=on_batch)

    @functools.cached_property
    def _data(self) -> Dataset:
        if self.dataset is None:
            return self.run.dataset
        return open_dataset(self.dataset) if isinstance(self.dataset, str) else self.dataset

    @functools.cached_property
    def _train(self) -> Sequence[Example]:
        return split_of(self._data, self.train_split or self.run.train_split)

    @functools.cached_property
    def _test(self) -> Sequence[Example]:
        return split_of(self._data, self.test_split or self.run.test_split)

    @functools.cached_property
    def _features(self):
        return compile_features(self.run)

    @functools.cached_property
    def _selections(self) -> Mapping[str, Sequence[Selection]]:
        """Head -> the choices of its shots, one per seed."""
        labels = [example.labels for example in self._train]
        select = functools.partial(
            Selection.of,
            max_shots=max(self.shots),
            num_held_out=self.num_held_out if len(self.l2) > 1 else 0,
        )
        return {
            head: [
                select(np.array([ids[head][0] for ids in labels]), num_classes, seed=seed)
                for seed in range(self.num_seeds)
            ]
            for head, num_classes in self._data.labels.num_classes.items()
        }

    @functools.cached_property
    def _chosen(self) -> Int64[np.ndarray, " chosen"]:
        """The positions of the training examples in any selection."""
        selections = itertools.chain.from_iterable(self._selections.values())
        return np.unique(np.concatenate([selection.all for selection in selections]))
