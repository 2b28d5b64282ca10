"""An encoder of several modalities, which exchange information from one of its layers on."""

import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from scenic_video.layers.positions import add_positions
from scenic_video.layers.presence import Present, mean_over_modalities
from scenic_video.layers.transformer import block_runner

Tokens = dict[str, Array]


class FusionEncoder(nn.Module):
    """Positions, `num_layers` blocks per modality, and one LayerNorm, over {modality: tokens}.

    Before `fusion_layer`, modalities are processed separately. From there on they exchange
    information through bottleneck tokens, if these are given and `fuse` is true: every modality
    updates its own tokens and a copy of the bottlenecks, whose mean over modalities goes to the
    next layer (Nagrani et al., Attention Bottlenecks for Multimodal Fusion, eq. 8 and 9). Without
    bottlenecks every modality attends to the tokens of all (section 3.2). A `fusion_layer` of 0 is
    early fusion, and `num_layers` is late fusion.

    A modality that an example lacks (`present`) does not influence the others: bottlenecks are
    averaged over the modalities that it has (at least one), and the tokens of absent modalities are
    masked.

    Blocks are named "encoderblock_3" + suffix, with one of `suffixes` per modality; modalities with
    the same suffix share blocks. `positions_names` are the names of learned positions. `block`
    makes a block from `stochastic_depth_rate` and `name`, as for `Encoder`.
    """

    num_layers: int
    fusion_layer: int
    block: Callable[..., nn.Module]
    suffixes: Mapping[str, str]
    positions_names: Mapping[str, str]
    positions: str = "learned"
    dropout_rate: float = 0.0
    stochastic_depth_rate: float = 0.0
    remat: bool = False
    norm_epsilon: float = 1e-6

    @nn.compact
    def __call__(
        self,
        tokens: dict[str, Float[Array, "b _n d"]],
        bottlenecks: Float[Array, "b k d"] | None = None,
        *,
        present: Present = None,
        fuse: bool = True,
        train: bool = False,
    ) -> dict[str, Float[Array, "b _n d"]]:
        tokens = {name: self._add_positions(name, x) for name, x in tokens.items()}
        dropout = nn.Dropout(self.dropout_rate, deterministic=not train)
        tokens = {name: dropout(x) for name, x in tokens.items()}

        run = block_runner(train=train, remat=self.remat)
        key_mask = joint_mask(tokens, present)
        fused = range(self.fusion_layer if len(tokens) > 1 else self.num_layers, self.num_layers)
        for layer in range(self.num_layers):
            blocks = self._blocks(layer, tokens)
            apply = {name: functools.partial(run, blocks[name]) for name in tokens}
            if layer not in fused or (bottlenecks is not None and not fuse):
                tokens = {name: apply[name](x) for name, x in tokens.items()}
            elif bottlenecks is not None:
                tokens, bottlenecks = _through_bottlenecks(tokens, bottlenecks, apply, present)
            elif len(set(self.suffixes[name] for name in tokens)) == 1:
                joined, lengths = join(tokens)
                tokens = split(apply[next(iter(tokens))](joined, key_mask=key_mask), lengths)
            else:
                tokens = _over_all_tokens(tokens, apply, key_mask)
        joined, lengths = join(tokens)
        return split(nn.LayerNorm(self.norm_epsilon, name="encoder_norm")(joined), lengths)

    def _add_positions(self, modality: str, tokens: Array) -> Array:
        return add_positions(tokens, self.positions, name=self.positions_names[modality])

    def _blocks(self, layer: int, tokens: Tokens) -> dict[str, Any]:
        """The block of each modality, which may be shared."""
        rate = self.stochastic_depth_rate * layer / max(self.num_layers - 1, 1)
        suffixes = dict.fromkeys(self.suffixes[name] for name in tokens)
        blocks = {
            suffix: self.block(stochastic_depth_rate=rate, name=f"encoderblock_{layer}{suffix}")
            for suffix in suffixes
        }
        return {name: blocks[self.suffixes[name]] for name in tokens}


def _through_bottlenecks(
    tokens: Tokens,
    bottlenecks: Array,
    apply: Mapping[str, Callable[..., Array]],
    present: Present,
) -> tuple[Tokens, Array]:
    mixed, updates = {}, {}
    for name, own in tokens.items():
        output = apply[name](jnp.concatenate([own, bottlenecks], axis=1))
        mixed[name] = output[:, : own.shape[1]]
        updates[name] = output[:, own.shape[1] :]
    return mixed, mean_over_modalities(updates, present)


def _over_all_tokens(
    tokens: Tokens, apply: Mapping[str, Callable[..., Array]], key_mask: Array | None
) -> dict[str, Array]:
    joined, lengths = join(tokens)
    return {name: split(apply[name](joined, key_mask=key_mask), lengths)[name] for name in tokens}


def join(
    tokens: dict[str, Float[Array, "b _n d"]],
) -> tuple[Float[Array, "b m d"], dict[str, int]]:
    """One sequence of the tokens of all modalities, and the length of each."""
    lengths = {name: x.shape[1] for name, x in tokens.items()}
    return jnp.concatenate(list(tokens.values()), axis=1), lengths


def split(
    joined: Float[Array, "b m d"], lengths: Mapping[str, int]
) -> dict[str, Float[Array, "b _n d"]]:
    """The inverse of `join`."""
    ends = list(itertools.accumulate(lengths.values()))[:-1]
    return dict(zip(lengths, jnp.split(joined, ends, axis=1), strict=True))


def joint_mask(tokens: Tokens, present: Present) -> Bool[Array, "b m"] | None:
    """Which tokens of the joined sequence (see `join`) belong to a present modality."""
    if present is None:
        return None
    masks = [jnp.broadcast_to(present[m][:, None], x.shape[:2]) for m, x in tokens.items()]
    return jnp.concatenate(masks, axis=1)
