"""Mixup: training on weighted means of two examples and of their labels."""

from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Shaped

Tree = TypeVar("Tree")


def mixup(
    rng: jax.Array,
    tree: Tree,
    alpha: int | float,
    *,
    mask: Shaped[Array, " b"] | None = None,
) -> Tree:
    """Mixes every array of `tree` with itself in reversed order along the batch axis, the first.

    out = lambda * x + (1 - lambda) * x[::-1] with one lambda ~ Beta(alpha, alpha) for the batch
    (mixup, Zhang et al., 2018, https://arxiv.org/abs/1710.09412, section 2). Inputs and labels
    belong in the same tree; class ids must be one-hot before.

    `mask` [B] is 0 for rows that hold no example. An example whose partner is such a row stays
    unmixed, as does its label, so nothing of a padding row enters the loss. (Pairing the examples
    among themselves instead would gather the whole batch on each device of a mesh.)
    """
    if alpha <= 0:
        raise ValueError(f"mixup needs alpha > 0; got {alpha}. To go without, do not call it.")
    return mix_with_reversed(tree, jax.random.beta(rng, alpha, alpha), mask=mask)


def mix_with_reversed(
    tree: Tree, share: Float32[Array, ""], *, mask: Shaped[Array, " b"] | None = None
) -> Tree:
    """share * x + (1 - share) * x[::-1] for every array of `tree`; `mask` is as in `mixup`."""

    def mix(x: jax.Array) -> jax.Array:
        _check(x)
        own = share.astype(x.dtype)
        mixed = own * x + (1 - own) * x[::-1]
        if mask is None:
            return mixed
        has_partner = mask[::-1].reshape(-1, *(1,) * (x.ndim - 1)) > 0
        return jnp.where(has_partner, mixed, x)

    return jax.tree.map(mix, tree)


def _check(x: jax.Array) -> None:
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(
            f"mixup takes means, so it needs floating point arrays; got {x.dtype} {x.shape}. "
            "Turn class ids into one-hot rows and pixels into floats first."
        )
    if x.shape[0] == 1:
        raise ValueError(
            "mixup needs two examples or more; got a batch of one. Raise the batch size (or lower "
            "trainer.micro_batches), or set mixup_alpha=0."
        )
