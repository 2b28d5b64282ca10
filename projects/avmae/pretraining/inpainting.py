"""Inpainting (Georgescu et al., ICCV 2023): each modality is predicted from the visible tokens of
the other."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jaxtyping import Array

from projects.avmae.modalities import MODALITIES
from scenic_video.errors import UserError
from scenic_video.layers.autoencoder import TokenGrid, Tokens
from scenic_video.layers.masking import place_tokens, take_tokens


def inpainting(
    projected: Tokens,
    grids: Mapping[str, TokenGrid],
    *,
    fill_in: Callable[..., Array],
    decode: Callable[[Tokens], Tokens],
) -> tuple[Tokens, Tokens]:
    """Decoded tokens at all places [b, n, d], and which of them to score [b, n].

    The hidden tokens of each modality are decoded with the visible tokens `projected` of the other,
    each at its own position. `fill_in` is `Autoencoder._fill_in`; `decode` decodes each sequence.
    """
    tokens = {name: fill_in(name, x, grids[name]) for name, x in projected.items()}
    hidden = {name: take_tokens(x, grids[name].mask.hidden) for name, x in tokens.items()}
    visible = {name: take_tokens(x, grids[name].mask.visible) for name, x in tokens.items()}
    sequences = {
        name: jnp.concatenate([x, visible[_other(name)]], axis=1) for name, x in hidden.items()
    }
    decoded = decode(sequences)
    predicted = {name: decoded[name][:, : x.shape[1]] for name, x in hidden.items()}
    placed = {
        name: place_tokens(jnp.zeros_like(tokens[name]), x, grids[name].mask.hidden)
        for name, x in predicted.items()
    }
    return placed, {name: grids[name].is_hidden() for name in placed}


def public_inpainting(
    projected: Tokens,
    grids: Mapping[str, TokenGrid],
    *,
    fill_in: Callable[..., Array],
    decode: Callable[[Tokens], Tokens],
) -> tuple[Tokens, Tokens]:
    """As `inpainting`, but as in the public code: the k visible tokens of the other modality are at
    the first k positions, and all other positions are scored, hidden or not."""
    tokens, scored = {}, {}
    for name in projected:
        visible, number = projected[_other(name)], grids[name].number
        if visible.shape[1] >= number:
            raise UserError(
                f"{visible.shape[1]} visible tokens of {_other(name)} fill all {number} positions "
                f"of {name}. Raise the masking rate of {_other(name)}."
            )
        at = jnp.broadcast_to(jnp.arange(visible.shape[1]), visible.shape[:2])
        tokens[name] = fill_in(name, visible, grids[name], at=at)
        row = jnp.arange(number) >= visible.shape[1]
        scored[name] = jnp.broadcast_to(row.astype(jnp.float32), (len(visible), number))
    return decode(tokens), scored


def _other(modality: str) -> str:
    (other,) = set(MODALITIES) - {modality}
    return other
