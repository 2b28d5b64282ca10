"""MTV: Multiview Transformers for Video Recognition (Yan et al., CVPR 2022).

Views of one clip, cut into tubelets of different sizes, have a transformer each; these exchange
information in some layers, and a global transformer reads them all. Parameters carry the names of
the public checkpoints, which count views from the coarsest.
"""

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from einops import rearrange, repeat
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from projects.mtv.times import REPETITIONS, beside, common_steps, fold, unfold
from projects.mtv.views import Views, read_views
from scenic_video.layers.attention import attention
from scenic_video.layers.embeddings import PatchEmbedding, kernel_initializer
from scenic_video.layers.multiview import MultiviewEncoder
from scenic_video.layers.pooling import classify, pool, prepend_class_token
from scenic_video.layers.transformer import Encoder, EncoderBlock
from scenic_video.layers.view_fusion import Bottleneck, Fusion


class MTV(nn.Module, kw_only=True):
    """A multiview transformer over clips [b, t, h, w, 3].

    `views` are written "B/2+S/4+Ti/8" (see `parse_views`) or given as `View`s or mappings of
    their fields, in any order.
    `fusion` is how they exchange information, None for late fusion. `classifier` is "token" (a
    class token for every frame of tubelets, and one for the clip) or "gap" (mean of the tokens).
    The global transformer reads the views' frames one beside the other (`merge` "channel", its
    width is the sum of the views') or one after the other ("time", projected to
    `global_hidden_size`). Beside each other, a shorter view is repeated: "tile" as a whole, which
    is what the public checkpoints know, or "repeat" frame by frame, so that times agree.
    `tubelet_start` is "random", "central_frame" or "filter_inflation". Rates, `dtype` and `remat`
    are as in `VisionTransformer`.
    """

    num_classes: int
    views: Views
    fusion: Fusion | None = None
    classifier: str = "token"
    tubelet_start: str = "random"
    merge: str = "channel"
    repetition: str = "tile"
    global_hidden_size: int = 768
    global_mlp_dim: int = 3072
    global_num_layers: int = 12
    global_num_heads: int = 8
    dropout_rate: float = 0.0
    attention_dropout_rate: float = 0.0
    stochastic_depth_rate: float = 0.0
    head_bias_init: float = 0.0
    attention_implementation: str = "auto"
    dtype: DTypeLike = "float32"
    remat: bool = False

    def __post_init__(self):
        views = read_views(self.views)
        object.__setattr__(self, "views", views)
        super().__post_init__()
        self._require("classifier", self.classifier, ("token", "gap"))
        self._require("merge", self.merge, ("channel", "time"))
        self._require("repetition", self.repetition, REPETITIONS)
        self._require("dtype", jnp.dtype(self.dtype).name, ("float32", "bfloat16"))
        for view in views:
            self._require("the modality of a view", view.modality, ("rgb",))
        if self.fusion is not None:
            depth = max(view.num_layers for view in views)
            self.fusion.check(num_views=len(views), num_layers=depth)

    def _require(self, field: str, value: str, known: tuple[str, ...]) -> None:
        if value not in known:
            raise ValueError(f"{type(self).__name__}: {field} is {value!r}, not one of {known}.")

    @nn.compact
    def __call__(
        self, *, rgb: Float[Array, "b t h w 3"], train: bool = False
    ) -> Float[Array, "b c"]:
        views = read_views(self.views)
        grids = [view.grid(rgb.shape[1:4]) for view in views]
        tokens = [self._tokenize(index, {"rgb": rgb}) for index in range(len(views))]
        steps = common_steps([time for time, _, _ in grids], repeated=self.merge == "channel")
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
        tokens = encoder(tokens, self._bottleneck(rgb.shape[0], steps), train=train)
        frames = [unfold(x, grid[0]) for x, grid in zip(tokens, grids, strict=True)]
        clip = self._merge([pool(view, self.classifier) for view in frames])
        features = pool(self._encode_clip(clip, train=train), self.classifier)
        self.sow("intermediates", "features", features)
        return classify(features, self.num_classes, bias_init=self.head_bias_init)

    def _tokenize(self, index: int, inputs: Mapping[str, Array]) -> Array:
        """Tokens [b, t, n, d] of a view; a class token leads each frame, one for every time."""
        view = read_views(self.views)[index]
        video = inputs[view.modality]
        if video.shape[1] % view.tubelet_size[0]:
            raise ValueError(
                f"A clip of {video.shape[1]} frames does not divide into tubelets of "
                f"{view.tubelet_size[0]}. Change num_frames or the views."
            )
        tokens = PatchEmbedding(
            view.hidden_size,
            view.tubelet_size,
            kernel_init=kernel_initializer(self.tubelet_start),
            dtype=self.dtype,
            name=f"embedding_view{index}",
        )(video)
        tokens = rearrange(tokens, "b t h w d -> b t (h w) d").astype(jnp.float32)
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

    def _merge(self, views: list[Array]) -> Array:
        if self.merge == "channel":
            return beside(views, self.repetition)
        projected = [
            nn.Dense(self.global_hidden_size, name=f"global_encoder_linear_view{index}")(view)
            for index, view in enumerate(views)
        ]
        return jnp.concatenate(projected, axis=1)

    def _encode_clip(self, clip: Array, *, train: bool) -> Array:
        if self.classifier == "token":
            token = self.param("cls_global", nn.initializers.zeros, (1, 1, clip.shape[-1]))
            clip = prepend_class_token(clip, token)
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
        return encoder(clip, train=train)

    def _block_fields(self) -> dict[str, Any]:
        return {
            "dropout_rate": self.dropout_rate,
            "attention_dropout_rate": self.attention_dropout_rate,
            "attention": functools.partial(attention, implementation=self.attention_implementation),
            "dtype": self.dtype,
        }
