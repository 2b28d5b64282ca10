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
    """The inputs of the model in evaluation: the `modalities` of the task, or all `given` ones."""
    return tuple(getattr(task, "modalities", None) or given)


def sampling_order(modalities: Iterable[str]) -> list[str]:
    """Modalities in the order in which random numbers are sampled for them.

    The order is reverse alphabetical, so that it does not depend on that of a config or a dict.
    """
    return sorted(modalities, reverse=True)


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Arrays [B, ...] by modality, and the `presence` [B] of each.

    Presence is 1 where an example has the modality and 0 where it lacks it, whatever the array
    contains. It is empty if no example lacks anything, so that the model needs no masking.
    """

    arrays: Mapping[str, Any]
    presence: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, transformed: Mapping[str, Any]) -> "Inputs":
        """From the output of a transform: arrays by modality and, if any is absent, "presence"."""
        arrays = {name: x for name, x in transformed.items() if name != "presence"}
        return cls(arrays, transformed.get("presence", {}))

    @property
    def keywords(self) -> dict[str, Any]:
        """The keyword arguments of the model: with `presence` only for several modalities."""
        if self.presence and len(self.arrays) > 1:
            return {**self.arrays, "presence": self.all_presence}
        return dict(self.arrays)

    @property
    def all_presence(self) -> dict[str, Float[Array, "b"]]:
        """The presence of every modality; 1 for those that `presence` does not name."""
        ones = {name: jnp.ones(len(x), jnp.float32) for name, x in self.arrays.items()}
        return ones | {name: x for name, x in self.presence.items() if name in ones}

    @property
    def any_present(self) -> Float[Array, "b"]:
        """1 for examples that have at least one modality."""
        return jnp.stack(list(self.all_presence.values())).max(axis=0)

    def only(self, modalities: Sequence[str] | None) -> "Inputs":
        """The inputs with all other modalities marked as absent; None keeps all."""
        if modalities is None:
            return self
        self._require(modalities, "task.modalities")
        kept = {name: x * (name in modalities) for name, x in self.all_presence.items()}
        return Inputs(self.arrays, kept)

    def drop(self, rng: Key[Array, ""], rates: Mapping[str, float | int]) -> "Inputs":
        """Marks modalities of examples as absent, with the probabilities in `rates`.

        An example that would be left without any modality keeps all that it has.
        """
        if not rates:
            return self
        self._require(tuple(rates), "task.modality_dropout")
        presence = self.all_presence
        for index, name in enumerate(sampling_order(rates)):
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
                f"{', '.join(self.arrays)}. Add it to preprocessing.modalities, or remove it."
            )
