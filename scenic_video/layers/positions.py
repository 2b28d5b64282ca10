"""Positions of tokens, learned or fixed, over a sequence or over the axes of a grid."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from jaxtyping import Array, Float

from scenic_video.errors import UserError

SequencePositions = Literal["learned", "sinusoidal_1d", "none"]
"""Kinds of positions that need no grid."""

Positions = Literal[SequencePositions, "sinusoidal", "learned_space_time"]

SEQUENCE_POSITIONS = get_args(SequencePositions)


class LearnedPositions(nn.Module):
    """Adds a learned vector to every token: `pos_embedding` [1, n, d], from N(0, 0.02), float32."""

    @nn.compact
    def __call__(self, tokens: Float[Array, "*batch n d"]) -> Float[Array, "*batch n d"]:
        shape = (1, *tokens.shape[-2:])
        table = self.param("pos_embedding", nn.initializers.normal(0.02), shape)
        return tokens + jnp.broadcast_to(table[0], tokens.shape)


class LearnedSpaceTimePositions(nn.Module):
    """Adds a learned vector for the time and one for the place to every token of a flattened `grid`
    of time and space: `pos_embedding_time` [1, t, 1, d] and `pos_embedding_space`
    [1, 1, n / t, d], from N(0, 0.02), float32."""

    grid: Sequence[int]

    @nn.compact
    def __call__(self, tokens: Float[Array, "b n d"]) -> Float[Array, "b n d"]:
        times, width = self.grid[0], tokens.shape[-1]
        places = tokens.shape[-2] // times
        init = nn.initializers.normal(0.02)
        time = self.param("pos_embedding_time", init, (1, times, 1, width))
        space = self.param("pos_embedding_space", init, (1, 1, places, width))
        table = jnp.repeat(time, places, axis=2) + jnp.repeat(space, times, axis=1)
        return tokens + jnp.broadcast_to(table.reshape(1, -1, width), tokens.shape)


def add_positions(
    tokens: Float[Array, "*batch n d"], kind: str, *, name: str, grid: Sequence[int] | None = None
) -> Float[Array, "*batch n d"]:
    """Adds positions, in float32. `kind` is one of `Positions`; learned positions get the name
    `name`.

    Call it inside a compact module, which then owns the parameters. Tokens without a `grid` are a
    sequence. Errors: UserError for an unknown kind, or for one that needs a grid without a grid.
    """
    tokens = tokens.astype(jnp.float32)
    match kind:
        case "learned":
            return LearnedPositions(name=name)(tokens)
        case "sinusoidal_1d":
            return add_sinusoidal_positions(tokens, tokens.shape[-2:-1])
        case "none":
            return tokens
        case "sinusoidal" if grid is not None:
            return add_sinusoidal_positions(tokens, grid)
        case "learned_space_time" if grid is not None:
            return LearnedSpaceTimePositions(grid, name=name)(tokens)
    known = SEQUENCE_POSITIONS if grid is None else get_args(Positions)
    raise UserError(f"positions is {kind!r}, not one of {known}.")


class FixedPositions(NamedTuple):
    """Positions that are not parameters of the model.

    `kind` is None if positions are learned; `first` is the position of the first patch.
    """

    kind: str | None
    first: int = 0

    @classmethod
    def of(cls, kind: str, *, first: int = 0) -> "FixedPositions":
        return cls(None) if kind.startswith("learned") else cls(kind, first)


def add_sinusoidal_positions(
    tokens: Float[Array, "*batch n d"], grid: Sequence[int]
) -> Float[Array, "*batch n d"]:
    """Adds the fixed positions of a flattened grid, in float32."""
    positions = sinusoidal_positions(grid, tokens.shape[-1])
    return tokens.astype(jnp.float32) + jnp.broadcast_to(positions, tokens.shape)


def sinusoidal_positions(grid: Sequence[int], width: int) -> Float[np.ndarray, "n d"]:
    """Fixed sine-cosine positions of a grid of tokens, (n,), (h, w) or (t, h, w), flattened.

    One axis: sines and cosines interleaved over channels. More: one block of sines and one of
    cosines per axis, ordered time, column, row. Wavelengths grow from 2 pi towards 20000 pi.
    Vaswani et al., section 3.5; for two axes as in MAE.
    """
    blocks = 2 * len(grid)
    if width % blocks:
        raise UserError(
            f"Sinusoidal positions over {len(grid)} axes need a hidden_size divisible by {blocks}; "
            f"got {width}. Use 'sinusoidal_1d' or 'learned'."
        )
    frequencies = 10000.0 ** -(np.arange(width // blocks) / (width // blocks))
    places = [axis.reshape(-1) for axis in np.indices(grid)]
    if len(places) > 1:
        places[-2], places[-1] = places[-1], places[-2]  # the column comes before the row
    waves = []
    for place in places:
        angles = place[:, None] * frequencies[None, :]
        waves += [np.sin(angles), np.cos(angles)]
    stacked = np.stack(waves)
    pattern = "wave n k -> n (k wave)" if len(grid) == 1 else "wave n k -> n (wave k)"
    return rearrange(stacked, pattern).astype(np.float32)
