"""Mixup and CutMix: trains on mixtures of two examples, with labels mixed in proportion."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, Shaped

from scenic_video.config import check_fields, require
from scenic_video.errors import UserError
from scenic_video.field_types import NonNegative
from scenic_video.tasks.presence import sampling_order

Tree = TypeVar("Tree")


class Shares(NamedTuple):
    """The share of each example in its mixture: of its values (broadcastable) and of its label."""

    values: Float[Array, "..."]
    label: Float[Array, ""]


@dataclasses.dataclass(frozen=True)
class Mixing:
    """How the examples of a batch are mixed; an alpha of 0 turns that kind of mixing off.

    `mixup_alpha` and `cutmix_alpha` parametrise the Beta distributions of `sample_shares`.
    With `mixmod` each modality is mixed on its own, see `mix_examples`.
    """

    mixup_alpha: NonNegative = 0.0
    cutmix_alpha: NonNegative = 0.0
    mixmod: bool = False

    def __post_init__(self):
        check_fields(self)
        mixes = self.is_on or not self.mixmod
        require({"mixup_alpha or cutmix_alpha above 0 for mixmod": mixes}, of=self)

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
    """Mixes every example with its partner, the one at the same place in the reversed batch.

    `inputs` are [B, ...] by modality, `targets` is a tree of arrays [B, ...] (one-hot for classes).
    Returns the mixed inputs and, for each modality, the targets mixed in the same way. The shares
    (see `sample_shares`) are the same for the whole batch and all modalities; with `mixmod` each
    modality has its own, with the same pairs (MixMod; Nagrani et al., Attention Bottlenecks,
    section 4.2).

    `presence` [B] of a modality is 0 for examples that lack it, and for padding rows. Where the
    partner lacks a modality, that modality and its labels stay unmixed, so values of absent
    modalities are never used. Examples that lack a modality lack it afterwards too. (Forming other
    pairs instead would gather the whole batch on each device of a mesh.)
    """
    mixed, labels = {}, {}
    for index, name in enumerate(sampling_order(inputs)):
        values = inputs[name]
        own_rng = jax.random.fold_in(rng, index) if mixing.mixmod else rng
        shares = sample_shares(own_rng, values.shape, mixing)
        mixed[name] = mix_with_reversed(values, shares.values, mask=presence[name])
        labels[name] = mix_with_reversed(targets, shares.label, mask=presence[name])
    return mixed, labels


def sample_shares(rng: Key[Array, ""], shape: tuple[int, ...], mixing: Mixing) -> Shares:
    """Samples the shares of the examples in a batch of `shape`.

    In mixup the share is one lambda ~ Beta(alpha, alpha) (Zhang et al., 2018,
    https://arxiv.org/abs/1710.09412, section 2); in CutMix it is 1 outside of a box and 0 inside
    (see `kept_by_box`). With both, one of them is chosen with probability 1/2 for the whole batch,
    as in the fine-tuning of masked autoencoders.
    """
    assert mixing.is_on, mixing
    if not mixing.cutmix_alpha:
        share = jax.random.beta(rng, mixing.mixup_alpha, mixing.mixup_alpha)
        return Shares(share, share)
    choice_rng, mixup_rng, cutmix_rng = jax.random.split(rng, 3)
    kept = kept_by_box(cutmix_rng, shape, mixing.cutmix_alpha)
    if not mixing.mixup_alpha:
        return Shares(kept, kept.mean())
    share = jax.random.beta(mixup_rng, mixing.mixup_alpha, mixing.mixup_alpha)
    cut = jax.random.bernoulli(choice_rng)
    return Shares(jnp.where(cut, kept, share), jnp.where(cut, kept.mean(), share))


def kept_by_box(
    rng: Key[Array, ""], shape: tuple[int, ...], alpha: int | float
) -> Float[Array, "..."]:
    """1 outside of a box of rows and columns, 0 inside, for arrays of `shape` [B, ..., H, W, C].

    The box has a share of 1 - lambda of the area, lambda ~ Beta(alpha, alpha), and the aspect ratio
    of the image. Its centre is sampled uniformly, and the box is clipped at the edges (Yun et al.,
    CutMix, ICCV 2019, section 3.1). It is the same in all frames. In a spectrogram, its rows and
    columns are time frames and mel bins.
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

    `share` is one number, or broadcastable to each x. An example whose partner has a `mask` [B] of
    0 stays unchanged.
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
            f"Mixing computes means, so it needs floating-point arrays; got {x.dtype} {x.shape}. "
            "Convert class ids to one-hot vectors, and pixels to floats."
        )
    if x.shape[0] == 1:
        raise UserError(
            "Mixing needs at least two examples; got a batch of one. Raise the batch size (or "
            "lower trainer.micro_batches), or set mixup_alpha=0 and cutmix_alpha=0."
        )
