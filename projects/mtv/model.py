"""MTV: Multiview Transformers for Video Recognition (Yan et al., CVPR 2022).

Each view of a clip, cut into tubelets of its own size, has a transformer. The transformers exchange
information in some layers, and a global transformer reads all views. Parameters have the names of
the public checkpoints, which count views from the coarsest. With views of audio and optical flow
beside RGB it is the model of M&M Mix (Xiong et al., 2022).
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from einops import rearrange, repeat
from jaxtyping import Array, Float

from projects.mtv.times import (
    Repetition,
    beside,
    check_input,
    common_steps,
    fold,
    unfold,
)
from projects.mtv.views import Views, read_views
from scenic_video.config import check_fields, is_set, require
from scenic_video.errors import UserError
from scenic_video.field_types import ComputeDtype, Number, PositiveInt, ShareBelowOne
from scenic_video.layers.attention import AttentionImplementation, attention
from scenic_video.layers.embeddings import KernelStart, PatchEmbedding, kernel_initializer
from scenic_video.layers.layer_order import EncoderLayers, layers_after
from scenic_video.layers.multiview import MultiviewEncoder
from scenic_video.layers.pooling import classify, pool, prepend_class_token
from scenic_video.layers.presence import read_presence, where_present
from scenic_video.layers.sharding_rules import TRANSFORMER_RULES
from scenic_video.layers.transformer import Encoder, EncoderBlock
from scenic_video.layers.view_fusion import Bottleneck, Fusion, check_fusion

BEFORE_VIEWS = r"^((embedding|cls)_view\d+(/|$)|MultiviewEncoder/posembed_input_view\d+/)"
AFTER_LAYERS = (
    r"^(bottleneck$|MultiviewEncoder/bottleneck_linear_|global_encoder_linear_)"
    r"|^(global_encoder/encoder_norm|output_projection)/"
)


class MTV(nn.Module, kw_only=True):
    """A multiview transformer over clips [b, t, h, w, 3], their spectrograms [b, s, f, 1] and
    optical flow [b, t, h, w, 2], depending on its views.

    `views` are written "B/2+S/4+Ti/8" or "B/2:rgb+S/16x16:audio+Ti/4:flow" (see `parse_views`), or
    given as a list of such strings, `View`s or mappings of their fields, in any order. `fusion` is
    how they exchange information, None for late fusion. `classifier` is "token" (a
    class token for every frame of tubelets, and one for the clip) or "gap" (mean of the tokens).
    The global transformer reads the frames of all views concatenated over channels (`merge`
    "channel"; its width is the sum of the views' widths) or over time ("time"; projected to
    `global_hidden_size`). For "channel", shorter views are repeated by `repetition`: "tile" as a
    whole, as in the public checkpoints, or "repeat" frame by frame, which aligns them in time.
    `tubelet_start` is "random", "central_frame" or "filter_inflation" (patches of audio are always
    random). Rates, `dtype` and `remat` are as in `VisionTransformer`. Setting a field that `merge`
    does not use is an error.
    """

    num_classes: PositiveInt
    views: Views
    fusion: Fusion | None = None
    classifier: Literal["token", "gap"] = "token"
    tubelet_start: KernelStart = "random"
    merge: Literal["channel", "time"] = "channel"
    repetition: Repetition = "tile"
    global_hidden_size: PositiveInt = 768
    global_mlp_dim: PositiveInt = 3072
    global_num_layers: PositiveInt = 12
    global_num_heads: PositiveInt = 8
    dropout_rate: ShareBelowOne = 0.0
    attention_dropout_rate: ShareBelowOne = 0.0
    stochastic_depth_rate: ShareBelowOne = 0.0
    head_bias_init: Number = 0.0
    attention_implementation: AttentionImplementation = "auto"
    dtype: ComputeDtype = "float32"
    remat: bool = False

    sharding_rules = TRANSFORMER_RULES
    starts_by = "projects.mtv.pretrained:start"

    def __post_init__(self):
        views = read_views(self.views)
        object.__setattr__(self, "views", views)
        super().__post_init__()
        check_fusion(self.fusion, [view.num_layers for view in views])
        check_fields(self)
        if is_set(self, "global_hidden_size"):
            require({"merge='time' if global_hidden_size is set": self.merge == "time"}, of=self)
        if is_set(self, "repetition"):
            require({"merge='channel' if repetition is set": self.merge == "channel"}, of=self)

    def layers_after(self, path: str) -> int | None:
        """How many layers follow the parameter at this path (see `scenic_video.optimizers`):
        layers of all views with the same number count as one, and those of the global
        transformer follow."""
        views = EncoderLayers(
            max(view.num_layers for view in read_views(self.views)),
            r"^MultiviewEncoder/(?:cross_view_)?encoderblock_(\d+)",
            BEFORE_VIEWS,
        )
        clip = EncoderLayers(
            self.global_num_layers,
            r"^global_encoder/encoderblock_(\d+)",
            r"^(cls_global$|global_encoder/posembed_input/)",
        )
        return layers_after(path, [views, clip], AFTER_LAYERS)

    @nn.compact
    def __call__(
        self,
        *,
        rgb: Float[Array, "b t h w 3"] | None = None,
        audio: Float[Array, "b s f 1"] | None = None,
        flow: Float[Array, "b t h w 2"] | None = None,
        presence: Mapping[str, Float[Array, " b"]] | None = None,
        train: bool = False,
    ) -> Float[Array, "b c"]:
        """Logits. `presence`, by modality, is 1 where an example has it and 0 where it lacks it;
        modalities that are not in it are always present. Absent views have no influence on other
        views or the global transformer."""
        views = read_views(self.views)
        inputs = self._inputs(rgb=rgb, audio=audio, flow=flow)
        stated = read_presence(presence, list(inputs)) or {}
        present = [stated.get(view.modality) for view in views]
        grids = [view.grid(inputs[view.modality].shape) for view in views]
        tokens = [self._tokenize(index, inputs, present[index]) for index in range(len(views))]
        lengths = [time for time, _, _ in grids]
        steps = common_steps(lengths, repeated=self.merge == "channel", views=views)
        encoder = MultiviewEncoder(
            views=views,
            grids=[(time // steps, rows, columns) for time, rows, columns in grids],
            class_tokens=self.classifier == "token",
            fusion=self.fusion,
            stochastic_depth_rate=self.stochastic_depth_rate,
            block_fields=self._block_fields(),
            remat=self.remat,
            name="MultiviewEncoder",
        )
        tokens = [fold(frames, steps) for frames in tokens]
        bottleneck = self._bottleneck(tokens[0].shape[0], steps)
        tokens = encoder(tokens, bottleneck, present, train=train)
        frames = [unfold(x, length) for x, length in zip(tokens, lengths, strict=True)]
        frames = [pool(view, self.classifier) for view in frames]
        clip, is_present = self._merge(frames, present)
        features = self._encode_clip(clip, is_present, train=train)
        self.sow("intermediates", "features", features)
        return classify(features, self.num_classes, bias_init=self.head_bias_init)

    def _inputs(self, **inputs: Array | None) -> dict[str, Array]:
        """The given inputs. Errors: UserError unless they are those of the views, with sizes that
        divide into tubelets."""
        given = {name: value for name, value in inputs.items() if value is not None}
        views = read_views(self.views)
        seen = {view.modality for view in views}
        if seen != given.keys():
            raise UserError(
                f"{type(self).__name__} has views of {', '.join(sorted(seen))}, but the inputs are "
                f"{', '.join(sorted(given))}. Change preprocessing.modalities or the views."
            )
        for view in views:
            check_input(view, given[view.modality].shape)
        return given

    def _tokenize(self, index: int, inputs: Mapping[str, Array], present: Array | None) -> Array:
        """Tokens [b, t, n, d] of a view, with a class token in front of each frame."""
        view = read_views(self.views)[index]
        tokens = PatchEmbedding(
            view.hidden_size,
            view.tubelet_size,
            kernel_init=kernel_initializer("random" if view.is_audio else self.tubelet_start),
            dtype=self.dtype,
            name=f"embedding_view{index}",
        )(where_present(present, inputs[view.modality]))
        tokens = rearrange(tokens, "b t ... d -> b t (...) d").astype(jnp.float32)
        if self.classifier != "token":
            return tokens
        shape = (1, tokens.shape[1], 1, view.hidden_size)
        classes = self.param(f"cls_view{index}", nn.initializers.zeros, shape)
        classes = repeat(classes, "1 t 1 d -> b t 1 d", b=tokens.shape[0])
        return jnp.concatenate([classes, tokens], axis=-2)

    def _bottleneck(self, batch: int, steps: int) -> Array | None:
        if not isinstance(self.fusion, Bottleneck):
            return None
        views = read_views(self.views)
        first = views[self.fusion.order(len(views))[0]]
        shape = (1, steps, self.fusion.num_tokens, first.hidden_size)
        tokens = self.param("bottleneck", nn.initializers.normal(0.02), shape)
        return repeat(tokens, "1 s k d -> b s k d", b=batch)

    def _merge(
        self, views: list[Array], present: Sequence[Array | None]
    ) -> tuple[Array, Array | None]:
        """The input of the global transformer [b, n, d], and which tokens are present [b, n], None
        if all. With `merge="channel"` the channels of absent views are zeros."""
        if self.merge == "channel":
            views = [where_present(p, view) for p, view in zip(present, views, strict=True)]
            return beside(views, self.repetition), None
        projected = [
            nn.Dense(self.global_hidden_size, name=f"global_encoder_linear_view{index}")(view)
            for index, view in enumerate(views)
        ]
        clip = jnp.concatenate(projected, axis=1)
        if all(p is None for p in present):
            return clip, None
        masks = [
            where_present(p, jnp.ones(view.shape[:2], bool), False)
            for p, view in zip(present, views, strict=True)
        ]
        mask = jnp.concatenate(masks, axis=1)
        return clip, mask | ~mask.any(axis=1, keepdims=True)  # an empty softmax would be NaN

    def _encode_clip(self, clip: Array, key_mask: Array | None, *, train: bool) -> Array:
        """One vector [b, d] for the clip."""
        if self.classifier == "token":
            token = self.param("cls_global", nn.initializers.zeros, (1, 1, clip.shape[-1]))
            clip = prepend_class_token(clip, token)
            if key_mask is not None:
                key_mask = jnp.pad(key_mask, ((0, 0), (1, 0)), constant_values=True)
        encoder = Encoder(
            num_layers=self.global_num_layers,
            block=functools.partial(
                EncoderBlock,
                mlp_dim=self.global_mlp_dim,
                num_heads=self.global_num_heads,
                **self._block_fields(),
            ),
            dropout_rate=self.dropout_rate,
            stochastic_depth_rate=self.stochastic_depth_rate,
            remat=self.remat,
            name="global_encoder",
        )
        tokens = encoder(clip, key_mask=key_mask, train=train)
        return pool(tokens, self.classifier, mask=key_mask)

    def _block_fields(self) -> dict[str, Any]:
        return {
            "dropout_rate": self.dropout_rate,
            "attention_dropout_rate": self.attention_dropout_rate,
            "attention": functools.partial(attention, implementation=self.attention_implementation),
            "dtype": self.dtype,
        }
