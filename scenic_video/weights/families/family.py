"""A family of public checkpoints: how it is recognised, and read to the parameter names here."""

import abc
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any

import numpy as np

from scenic_video.errors import UserError
from scenic_video.field_types import Extents
from scenic_video.weights.families.names import Leaves
from scenic_video.weights.model_weights import Inputs

GROUP = "scenic_video.families"
"""The group of entry points by which a package adds families: each a sequence of `Family`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Weights:
    """What a checkpoint holds: parameters by their paths here, and what is known about them.

    `model` is the config node of the model that they fit ({"target": ..., fields}), `preprocessing`
    the fields of a `Preprocessing`, `labels` the class names of each head; each is None if the file
    does not say. `inputs` are the sizes of the model's inputs, as far as they are known, and `grid`
    that of its tokens, if it does not follow from them and the patch kernel. `rest` are
    arrays that no rule covers, which a strict load refuses; `dropped` names those known to carry
    nothing, such as counters. `notes` state what was filled in, one sentence each. `run` is the
    metadata of a run of this package: its config, data and results; `published` is what the
    registry says of a public checkpoint in words, such as its licence.
    """

    family: str
    params: Leaves
    model: Mapping[str, Any] | None = None
    preprocessing: Mapping[str, Any] | None = None
    labels: Mapping[str, Sequence[str]] | None = None
    inputs: Inputs = dataclasses.field(default_factory=dict)
    grid: Extents | None = None
    rest: Leaves = dataclasses.field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    run: Mapping[str, Any] | None = None
    published: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Family(abc.ABC):
    """Checkpoints with the same names of parameters."""

    name: str
    """As users call it, such as "ViT of Hugging Face"."""

    formats: tuple[str, ...] = ()
    """The formats of `weights.writing` whose files have these names."""
    alike: tuple[str, ...] = ()
    """Targets of models that files of this family may be of, besides the one that `read` gives; no
    array shows the difference."""

    @abc.abstractmethod
    def matches(self, leaves: Mapping[str, Any]) -> bool:
        """Whether these are names and shapes (`.shape`) of this family; no values are read."""

    @abc.abstractmethod
    def read(self, leaves: Leaves, metadata: Mapping[str, Any]) -> Weights:
        """The weights by their names here. `metadata` is what the container holds beside arrays,
        such as a parsed config.json under "config". Errors: UserError."""

    def write(self, weights: Weights) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The inverse of `read`: arrays by their foreign names, and metadata."""
        raise UserError(f"Weights cannot be written as {self.name}.")


@dataclasses.dataclass(frozen=True)
class Unsupported(Family):
    """A family that is recognised in order to say which part of it no model here has."""

    name: str
    signs: tuple[str, ...]
    """Ends of parameter names, all of which occur in such a checkpoint."""
    missing: str

    def matches(self, leaves: Mapping[str, Any]) -> bool:
        return all(any(name.endswith(sign) for name in leaves) for sign in self.signs)

    def read(self, leaves: Leaves, metadata: Mapping[str, Any]) -> Weights:
        raise UserError(
            f"These are weights of {self.name}, {self.missing}, which no model here has."
        )


def installed_families() -> tuple[Family, ...]:
    """The families of all installed packages."""
    return tuple(family for entry in entry_points(group=GROUP) for family in entry.load())


def recognise(leaves: Mapping[str, Any], families: Iterable[Family]) -> Family:
    """The one family that these names and shapes belong to; an unsupported one comes first, as its
    signs are parts that similar models lack.

    Errors: UserError if there is none, or more than one.
    """
    found = [family for family in families if family.matches(leaves)]
    found = [x for x in found if isinstance(x, Unsupported)][:1] or found
    if len(found) == 1:
        return found[0]
    shown = ", ".join(sorted(leaves)[:6]) + (", ..." if len(leaves) > 6 else "")
    if not found:
        raise UserError(f"No known family of models has these {len(leaves)} arrays: {shown}.")
    names = " and ".join(family.name for family in found)
    raise UserError(f"These {len(leaves)} arrays could be {names}: {shown}.")


WIDTHS = {192: 3, 384: 6, 768: 12, 1024: 16, 1152: 16, 1280: 16, 1408: 16, 1536: 16, 1664: 16}
"""Width -> attention heads of the public vision transformers."""


def number_of_heads(width: int, stated: Any = None) -> int:
    """The attention heads of an encoder of this width, as `stated` or by convention.

    Torch checkpoints hold no axis of heads, so that a wrong number would load without an error.
    """
    heads = stated if isinstance(stated, int) else WIDTHS.get(width)
    if heads is None or width % heads:
        raise UserError(
            f"The checkpoint does not state its number of attention heads, and {width} is not the "
            "width of a public model. Put its config.json beside it, with num_attention_heads."
        )
    return heads
