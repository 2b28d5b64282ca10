"""The weights of a model, with the sizes that the shapes of its parameters do not give."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from flax.traverse_util import flatten_dict

from scenic_video.field_types import Extents
from scenic_video.weights.resampling import Resampling

Params = Mapping[str, Any]
"""Nested dicts of arrays; messages and patterns name a leaf by its path, "a/b/kernel"."""

Inputs = Mapping[str, Sequence[int]]
"""Modality -> size of a model's inputs, without batch and channels: (frames,) rows, columns."""


@dataclasses.dataclass(frozen=True, eq=False)
class ModelWeights:
    """The parameters of a model, to initialise another one or to be initialised.

    `inputs` holds the sizes of the model's inputs, as far as they are known. `grid` is the number
    of tokens over (time,) rows and columns that its positions are for; None means that it follows
    from `inputs` and the patch kernel. A multiview transformer has a grid (rows, columns) per view,
    from the coarsest. `name` is for messages. `resampling` is how a model to be initialised gets
    positions and patches from those of other sizes.
    """

    params: Params
    inputs: Inputs = dataclasses.field(default_factory=dict)
    grid: Extents | Sequence[Extents] | None = None
    name: str = "the source"
    resampling: Resampling = Resampling()

    @functools.cached_property
    def flat(self) -> dict[str, Any]:
        """Path -> array."""
        return dict(flatten_dict(dict(self.params), sep="/"))  # pyright: ignore[reportArgumentType]

    def token_grid(self, modality: str, embedding: str = "embedding") -> tuple[int, ...] | None:
        """The number of tokens over (time,) rows and columns; None if unknown.

        `modality` is the input of the patch kernel, and `embedding` its module.
        """
        if self.grid is not None:
            return tuple(self.grid)  # pyright: ignore[reportReturnType]
        return token_grid(self.flat.get(f"{embedding}/kernel"), self.inputs.get(modality))


def token_grid(kernel: Any, size: Sequence[int] | None) -> tuple[int, ...] | None:
    """The number of patches of a kernel [*patch, c, d] along each of its axes in an input of this
    size, (frames,) rows and columns; None if either is unknown."""
    if kernel is None or size is None or len(size) < len(kernel.shape) - 2:
        return None
    patch = kernel.shape[:-2]
    return tuple(n // p for n, p in zip(size[-len(patch) :], patch, strict=True))
