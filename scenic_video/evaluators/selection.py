"""Selects the few examples per class of few-shot evaluation."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int


@dataclasses.dataclass(frozen=True)
class Selection:
    """For each class, positions of some of its examples in random order.

    The first ones are its shots, so that fewer shots are a subset of more; those from `max_shots`
    on are held out. A class with too few examples uses all of them, first as shots.
    """

    positions: Sequence[Int[np.ndarray, " _"]]
    max_shots: int

    @classmethod
    def of(
        cls,
        class_ids: Int[np.ndarray, " n"],
        num_classes: int,
        *,
        max_shots: int,
        num_held_out: int,
        seed: int,
    ) -> "Selection":
        order = np.random.default_rng(seed).permutation(len(class_ids))
        shuffled, number = class_ids[order], max_shots + num_held_out
        return cls([order[shuffled == index][:number] for index in range(num_classes)], max_shots)

    def among(self, places: Int[np.ndarray, " n"]) -> "Selection":
        """The selection with positions mapped by `places`; those that map to -1 are replaced by
        the next."""
        moved = [places[positions] for positions in self.positions]
        return dataclasses.replace(self, positions=[x[x >= 0] for x in moved])

    def shots(self, number: int) -> Int[np.ndarray, " shots"]:
        """Positions of `number` examples per class."""
        return np.concatenate([of_class[:number] for of_class in self.positions])

    def num_short(self, number: int) -> int:
        """The number of classes with fewer examples."""
        return sum(len(of_class) < number for of_class in self.positions)

    @property
    def held_out(self) -> Int[np.ndarray, " held_out"]:
        return np.concatenate([of_class[self.max_shots :] for of_class in self.positions])

    @property
    def all(self) -> Int[np.ndarray, " selected"]:
        return np.concatenate(self.positions)
