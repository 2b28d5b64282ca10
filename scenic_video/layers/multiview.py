"""Parallel transformers, one per view of an input, which exchange information."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import flax.linen as nn
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Bool, Float

from scenic_video.layers.cross_view import CrossViewBlock, MlpFusionBlock, align_tokens
from scenic_video.layers.positions import LearnedPositions
from scenic_video.layers.presence import where_present
from scenic_video.layers.transformer import EncoderBlock, block_runner
from scenic_video.layers.view_fusion import Bottleneck, CrossViewAttention, Fusion, MLPFusion


@runtime_checkable
class EncodedView(Protocol):
    """The size of a view's transformer, and the space that its tokens lie in.

    Views with the same `space` have the same rows and columns. Pixels and optical flow do; the mel
    bins of spectrograms are another space.
    """

    @property
    def hidden_size(self) -> int: ...
    @property
    def mlp_dim(self) -> int: ...
    @property
    def num_layers(self) -> int: ...
    @property
    def num_heads(self) -> int: ...
    @property
    def space(self) -> str: ...


class MultiviewEncoder(nn.Module, kw_only=True):
    """The transformers of all views and their fusion (Yan et al., Multiview Transformers for Video
    Recognition).

    Takes and returns tokens [b, s, n, d] for each view, with one sequence per time step; attention
    is within a step. `grids` are the sizes (t, h, w) of the tokens of a step; with `class_tokens`
    there is also one class token for each t. There is no norm at the end. `presence` is a bool [b]
    for each view, or None if it is always present: a view that an example lacks has no influence on
    the others.
    """

    views: Sequence[EncodedView]
    grids: Sequence[tuple[int, int, int]]
    class_tokens: bool
    fusion: Fusion | None
    stochastic_depth_rate: float
    block_fields: Mapping[str, Any]
    remat: bool = False

    @nn.compact
    def __call__(
        self,
        views: Sequence[Float[Array, "b s _ _"]],
        bottleneck: Float[Array, "b s k _"] | None = None,
        presence: Sequence[Bool[Array, " b"] | None] | None = None,
        *,
        train: bool = False,
    ) -> list[Float[Array, "b s _ _"]]:
        presence = presence or [None] * len(views)
        run = block_runner(train=train, remat=self.remat)
        tokens = [self._add_positions(view, x) for view, x in enumerate(views)]
        for layer in range(max(view.num_layers for view in self.views)):
            match self.fusion if self.fusion and layer in self.fusion.layers else None:
                case CrossViewAttention() as fusion:
                    block = self._cross_view_block(layer, fusion)
                    tokens = run(block, tokens, presence)
                case MLPFusion() as fusion:
                    tokens = self._fuse_mlps(run, layer, fusion, tokens, presence)
                case Bottleneck() as fusion:
                    assert bottleneck is not None
                    tokens, bottleneck = self._pass_bottleneck(
                        run, layer, fusion, tokens, bottleneck, presence
                    )
                case _:
                    for view in self._active(layer):
                        tokens[view] = run(self._block(layer, view), tokens[view])
        return tokens

    def _add_positions(self, view: int, tokens: Array) -> Array:
        """The positions of one frame, the same for all."""
        frames = rearrange(tokens, "b s (t n) d -> b s t n d", t=self.grids[view][0])
        frames = LearnedPositions(name=f"posembed_input_view{view}")(frames.astype(jnp.float32))
        return rearrange(frames, "b s t n d -> b s (t n) d")

    def _active(self, layer: int) -> list[int]:
        """The views that have a block in this layer; the others stay unchanged."""
        return [view for view, size in enumerate(self.views) if layer < size.num_layers]

    def _rate(self, layer: int, view: int) -> float:
        """Increases linearly over the layers of the view, and is constant after them."""
        last = max(self.views[view].num_layers - 1, 1)
        return self.stochastic_depth_rate * min(layer / last, 1.0)

    def _block(
        self, layer: int, view: int, block: type[nn.Module] = EncoderBlock, **fields: Any
    ) -> nn.Module:
        make: Any = functools.partial(block, **self.block_fields, **fields)
        return make(
            mlp_dim=self.views[view].mlp_dim,
            num_heads=self.views[view].num_heads,
            stochastic_depth_rate=self._rate(layer, view),
            name=f"encoderblock_{layer}_view{view}",
        )

    def _cross_view_block(self, layer: int, fusion: CrossViewAttention) -> nn.Module:
        every = range(len(self.views))
        return CrossViewBlock(
            mlp_dims=[view.mlp_dim for view in self.views],
            num_heads=[view.num_heads for view in self.views],
            active=[view in self._active(layer) for view in every],
            stochastic_depth_rates=[self._rate(layer, view) for view in every],
            pairs=fusion.pairs(len(self.views)),
            sizes_from=fusion.sizes_from,
            cascade=fusion.cascade,
            name=f"cross_view_encoderblock_{layer}",
            **self.block_fields,
        )

    def _fuse_mlps(
        self,
        run: Callable[..., Any],
        layer: int,
        fusion: MLPFusion,
        tokens: list[Array],
        presence: Sequence[Array | None],
    ) -> list[Array]:
        source_of = dict(fusion.pairs(len(tokens)))
        attended = list(tokens)  # tokens between attention and MLP, the input to the neighbour
        for view in fusion.order(len(tokens)):
            if view not in self._active(layer):
                continue
            source, fields, other = source_of.get(view), {}, ()
            if source is not None:
                fields["align"] = self._alignment(source, view)
                other = (attended[source], presence[source])
            block = self._block(layer, view, MlpFusionBlock, **fields)
            tokens[view], attended[view] = run(block, tokens[view], *other)
        return tokens

    def _alignment(self, source: int, target: int) -> Callable[[Array], Array]:
        return functools.partial(
            align_tokens,
            source=self.grids[source],
            target=self.grids[target],
            class_tokens=self.class_tokens,
            same_space=self._shares_space(source, target),
        )

    def _shares_space(self, one: int, other: int) -> bool:
        return self.views[one].space == self.views[other].space

    def _pass_bottleneck(
        self,
        run: Callable[..., Any],
        layer: int,
        fusion: Bottleneck,
        tokens: list[Array],
        bottleneck: Array,
        presence: Sequence[Array | None],
    ) -> tuple[list[Array], Array]:
        for view in fusion.order(len(tokens)):
            if view not in self._active(layer):
                continue
            if bottleneck.shape[-1] != self.views[view].hidden_size:
                bottleneck = nn.Dense(
                    self.views[view].hidden_size,
                    kernel_init=nn.initializers.xavier_uniform(),
                    name=f"bottleneck_linear_{layer}_view{view}",
                )(bottleneck)
            both = jnp.concatenate([tokens[view], bottleneck], axis=-2)
            both = run(self._block(layer, view), both)
            tokens[view], updated = jnp.split(both, [tokens[view].shape[-2]], axis=-2)
            bottleneck = where_present(presence[view], updated, bottleneck)
        return tokens, bottleneck
