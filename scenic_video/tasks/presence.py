"""The inputs of a model, and which modalities each example has."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from scenic_video.errors import UserError
from scenic_video.tasks.task import Task


def shown_modalities(task: Task, given: Iterable[str]) -> tuple[str, ...]:
    """The inputs of the model in evaluation: the task's `modalities`, or all that are `given`."""
    return tuple(getattr(task, "modalities", None) or given)


def by_draw(modalities: Iterable[str]) -> list[str]:
    """Modalities in the order in which random numbers are sampled for them.

    It is reverse alphabetical, so that it does not depend on the order in a config or a dict.
    """
    return sorted(modalities, reverse=True)


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Arrays [B, ...] by modality, and the `presence` [B] of each.

    Presence is 1 where an example has the modality, 0 where it lacks it, whatever the values of the
    array. It is empty if no example lacks anything, so that a model needs no masking.
    """

    arrays: Mapping[str, Any]
    presence: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, transformed: Mapping[str, Any]) -> "Inputs":
        """What a transform gave: arrays by modality and, perhaps, "presence"."""
        arrays = {name: x for name, x in transformed.items() if name != "presence"}
        return cls(arrays, transformed.get("presence", {}))

    @property
    def keywords(self) -> dict[str, Any]:
        """What the model is called with: `presence` only where it gets several modalities."""
        if self.presence and len(self.arrays) > 1:
            return {**self.arrays, "presence": self.all_presence}
        return dict(self.arrays)

    @property
    def all_presence(self) -> dict[str, Float[Array, "b"]]:
        """The presence of every modality, 1 where nothing was said."""
        ones = {name: jnp.ones(len(x), jnp.float32) for name, x in self.arrays.items()}
        return ones | {name: x for name, x in self.presence.items() if name in ones}

    @property
    def any_present(self) -> Float[Array, "b"]:
        """1 for examples that have some modality."""
        return jnp.stack(list(self.all_presence.values())).max(axis=0)

    def only(self, modalities: Sequence[str] | None) -> "Inputs":
        """All modalities but these are absent; None keeps all."""
        if modalities is None:
            return self
        self._require(modalities, "task.modalities")
        kept = {name: x * (name in modalities) for name, x in self.all_presence.items()}
        return Inputs(self.arrays, kept)

    def drop(self, rng: Key[Array, ""], rates: Mapping[str, float | int]) -> "Inputs":
        """Each example lacks each modality with the probability in `rates`.

        One that would be left without any keeps what it has.
        """
        if not rates:
            return self
        self._require(tuple(rates), "task.modality_dropout")
        presence = self.all_presence
        for index, name in enumerate(by_draw(rates)):
            kept = jax.random.bernoulli(
                jax.random.fold_in(rng, index), 1.0 - rates[name], presence[name].shape
            )
            presence[name] = presence[name] * kept
        left = Inputs(self.arrays, presence).any_present > 0
        whole = self.all_presence
        return Inputs(
            self.arrays, {name: jnp.where(left, x, whole[name]) for name, x in presence.items()}
        )

    def _require(self, names: Sequence[str], field: str) -> None:
        if unknown := sorted(set(names) - set(self.arrays)):
            raise UserError(
                f"{field} names {', '.join(unknown)}, but the inputs are "
                f"{', '.join(self.arrays)}. Add it to preprocessing.modalities, or leave it out."
            )
