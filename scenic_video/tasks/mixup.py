"""Mixup and CutMix: training on examples made of two others, labelled in the same proportion."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, Shaped

from scenic_video.config import ConfigError, check_fields
from scenic_video.errors import UserError
from scenic_video.field_types import NonNegative
from scenic_video.tasks.presence import by_draw

Tree = TypeVar("Tree")


class Shares(NamedTuple):
    """How much is left of every example: of its values (broadcastable to them) and its label."""

    values: Float[Array, "..."]
    label: Float[Array, ""]


@dataclasses.dataclass(frozen=True)
class Mixing:
    """How the examples of a batch are mixed; an alpha of 0 turns its kind off, 0 for both all.

    `mixup_alpha` and `cutmix_alpha` are the parameters of the Beta distributions of `draw_shares`.
    With `mixmod` each modality is mixed on its own, see `mix_examples`.
    """

    mixup_alpha: NonNegative = 0.0
    cutmix_alpha: NonNegative = 0.0
    mixmod: bool = False

    def __post_init__(self):
        check_fields(self)
        if self.mixmod and not self.is_on:
            raise ConfigError("mixmod needs mixup_alpha or cutmix_alpha above 0; got 0 for both.")

    @property
    def is_on(self) -> bool:
        return self.mixup_alpha > 0 or self.cutmix_alpha > 0


def mix_examples(
    rng: Key[Array, ""],
    inputs: Mapping[str, Float[Array, "b *shape"]],
    targets: Any,
    mixing: Mixing,
    *,
    presence: Mapping[str, Shaped[Array, " b"]],
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Mixes every example with the one at its place in the reversed batch.

    `inputs` are [B, ...] by modality, `targets` a tree of arrays [B, ...], one-hot where they are
    classes. Returns the mixed inputs and, for each modality, the targets mixed as it was. One draw
    serves the whole batch (see `draw_shares`) and all modalities; with `mixmod` each has its
    own, with the same pairs (MixMod; Nagrani et al., Attention Bottlenecks, section 4.2).

    `presence` [B] of a modality is 0 for examples that lack it, and for rows that hold no example.
    Where the partner lacks a modality, that modality and its labels stay unmixed, so what an absent
    one holds goes nowhere. An example that lacks it itself goes on lacking it. (Pairing examples
    among themselves instead would gather the whole batch on each device of a mesh.)
    """
    mixed, labels = {}, {}
    for index, name in enumerate(by_draw(inputs)):
        values = inputs[name]
        own_rng = jax.random.fold_in(rng, index) if mixing.mixmod else rng
        shares = draw_shares(own_rng, values.shape, mixing)
        mixed[name] = mix_with_reversed(values, shares.values, mask=presence[name])
        labels[name] = mix_with_reversed(targets, shares.label, mask=presence[name])
    return mixed, labels


def draw_shares(rng: Key[Array, ""], shape: tuple[int, ...], mixing: Mixing) -> Shares:
    """The shares of examples in a batch of `shape`.

    Mixup leaves one lambda ~ Beta(alpha, alpha) of everything (Zhang et al., 2018,
    https://arxiv.org/abs/1710.09412, section 2), CutMix all but a box (see `kept_by_box`). With
    both, a fair coin decides for the batch, as in the fine-tuning of masked autoencoders.
    """
    assert mixing.is_on, mixing
    if not mixing.cutmix_alpha:
        share = jax.random.beta(rng, mixing.mixup_alpha, mixing.mixup_alpha)
        return Shares(share, share)
    coin_rng, mixup_rng, cutmix_rng = jax.random.split(rng, 3)
    kept = kept_by_box(cutmix_rng, shape, mixing.cutmix_alpha)
    if not mixing.mixup_alpha:
        return Shares(kept, kept.mean())
    share = jax.random.beta(mixup_rng, mixing.mixup_alpha, mixing.mixup_alpha)
    cut = jax.random.bernoulli(coin_rng)
    return Shares(jnp.where(cut, kept, share), jnp.where(cut, kept.mean(), share))


def kept_by_box(
    rng: Key[Array, ""], shape: tuple[int, ...], alpha: int | float
) -> Float[Array, "..."]:
    """1 outside of a box of rows and columns, 0 inside, for arrays of `shape` [B, ..., H, W, C].

    The box has 1 - lambda of the area, lambda ~ Beta(alpha, alpha), and the shape of the picture;
    its centre is drawn evenly, and what sticks out is cut off (Yun et al., CutMix, ICCV 2019,
    section 3.1). It is the same in all frames; of a spectrogram it takes columns and mel bins.
    """
    if len(shape) < 4:
        raise UserError(
            f"CutMix needs rows and columns, [B, ..., H, W, C]; got an input of shape {shape}. Set "
            "cutmix_alpha=0."
        )
    share_rng, *centre_rngs = jax.random.split(rng, 3)
    side = jnp.sqrt(1 - jax.random.beta(share_rng, alpha, alpha))
    inside = []
    for centre_rng, size in zip(centre_rngs, shape[-3:-1], strict=True):
        centre = jax.random.randint(centre_rng, (), 0, size)
        half = jnp.floor(side * size).astype(jnp.int32) // 2
        places = jnp.arange(size)
        inside.append((places >= centre - half) & (places < centre + half))
    kept = 1.0 - jnp.outer(*inside).astype(jnp.float32)
    return kept.reshape((1,) * (len(shape) - 3) + (*kept.shape, 1))


def mix_with_reversed(
    tree: Tree, share: Float[Array, "..."], *, mask: Shaped[Array, " b"] | None = None
) -> Tree:
    """share * x + (1 - share) * x[::-1] for every array x [B, ...] of `tree`.

    `share` is one number, or broadcastable to each x. An example stays as it is where `mask` [B] is
    0 for its partner.
    """

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
        raise UserError(
            f"Mixing takes means, so it needs floating point arrays; got {x.dtype} {x.shape}. "
            "Turn class ids into one-hot rows and pixels into floats first."
        )
    if x.shape[0] == 1:
        raise UserError(
            "Mixing needs two examples or more; got a batch of one. Raise the batch size (or lower "
            "trainer.micro_batches), or set mixup_alpha=0 and cutmix_alpha=0."
        )
