"""What vision transformers have in common: their fields, embeddings, encoder and head."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from scenic_video.config import check_fields
from scenic_video.errors import UserError
from scenic_video.field_types import ComputeDtype, Number, Positive, PositiveInt, ShareBelowOne
from scenic_video.layers.attention import AttentionImplementation, attention
from scenic_video.layers.embeddings import (
    KernelStart,
    PatchEmbedding,
    check_clip,
    kernel_initializer,
    single_images,
    uniform_frame_indices,
)
from scenic_video.layers.layer_order import EncoderLayers, layers_after
from scenic_video.layers.pooling import Classifier, classify, prepend_class_token
from scenic_video.layers.positions import FixedPositions, add_sinusoidal_positions
from scenic_video.layers.sharding_rules import TRANSFORMER_RULES
from scenic_video.layers.transformer import ENCODER_BLOCK, POSITION_TABLES, Encoder, EncoderBlock


class VisionTransformer(nn.Module, kw_only=True):
    """The base of models that embed patches, encode them, and classify.

    `classifier` is the input of the head: a class token ("token"), the first patch ("0"), or the
    mean, maximum or sum over tokens ("gap", "gmp", "gsp"). `positions` are "learned", "sinusoidal"
    (over the axes of the grid; the class token has none), "sinusoidal_1d" (over the sequence) or
    "none". `representation_size` is the width of a tanh layer before the head. Rates are
    probabilities; the rate of stochastic depth grows linearly with the layer. `dtype` ("float32" or
    "bfloat16") is used for matrix products; parameters, the residual stream, softmax and head stay
    float32. `remat` computes each block again in the backward pass, to save memory. `exact_gelu`
    (else GELU is its tanh approximation) and `norm_epsilon` of the LayerNorms must match pretrained
    weights: models in JAX use the defaults, most in PyTorch exact_gelu and 1e-12 or 1e-6.

    `linear_probe` trains only the head, on features that a BatchNorm without scale and bias brings
    to mean 0 and variance 1 (He et al., Masked Autoencoders, appendix A.1). No gradient reaches the
    backbone, but weight decay would: freeze it too (`trainer.freeze`).
    """

    num_classes: PositiveInt
    hidden_size: PositiveInt
    mlp_dim: PositiveInt
    num_layers: PositiveInt
    num_heads: PositiveInt
    classifier: Classifier = "token"
    positions: Literal["learned", "sinusoidal", "sinusoidal_1d", "none"] = "learned"
    representation_size: PositiveInt | None = None
    dropout_rate: ShareBelowOne = 0.0
    attention_dropout_rate: ShareBelowOne = 0.0
    stochastic_depth_rate: ShareBelowOne = 0.0
    rescale_kept_branches: bool = True
    head_bias_init: Number = 0.0
    exact_gelu: bool = False
    norm_epsilon: Positive = 1e-6
    attention_implementation: AttentionImplementation = "auto"
    dtype: ComputeDtype = "float32"
    remat: bool = False
    linear_probe: bool = False

    sharding_rules = TRANSFORMER_RULES
    distillation_token = False
    layer_norm = nn.LayerNorm
    before_layers = rf"^(embedding|cls)[^/]*(/|$)|{POSITION_TABLES}"
    after_layers = r"(^|/)(encoder_norm|pre_logits|output_projection)/"

    def __post_init__(self):
        for name, value in list(vars(self).items()):
            if isinstance(value, list):  # from JSON; a module must be hashable
                object.__setattr__(self, name, tuple(value))
        super().__post_init__()
        check_fields(self)

    def _embed_images(
        self, pixels: Float[Array, "b *one_frame h w c"], patch_size: Sequence[int]
    ) -> Float[Array, "b x y d"]:
        """Patches (h, w) of images, of clips of one frame, or (t, f) of spectrograms."""
        embed = PatchEmbedding(self.hidden_size, patch_size, dtype=self.dtype, name="embedding")
        return embed(single_images(pixels))

    def _embed_clips(
        self,
        rgb: Float[Array, "b t h w 3"],
        tubelet_size: Sequence[int],
        start: KernelStart,
        uniform_frames: int | None = None,
    ) -> Float[Array, "b s x y d"]:
        """Tubelets (t, h, w) of clips, with a kernel initialised by `start`; or patches of
        `uniform_frames` evenly spaced frames, with a kernel as in an image model."""
        check_clip(rgb.shape, tubelet_size)
        if uniform_frames is not None:
            time, *patch = tubelet_size
            if time != 1:
                raise UserError(
                    f"uniform_frames needs tubelets of one frame; got {tuple(tubelet_size)}."
                )
            frames = rgb[:, uniform_frame_indices(rgb.shape[1], uniform_frames)]
            embed = PatchEmbedding(self.hidden_size, patch, dtype=self.dtype, name="embedding")
            return embed(frames)
        return PatchEmbedding(
            self.hidden_size,
            tubelet_size,
            kernel_init=kernel_initializer(start),
            dtype=self.dtype,
            name="embedding",
        )(rgb)

    @property
    def fixed_positions(self) -> FixedPositions:
        """Positions over a sequence count the class token; positions over a grid do not."""
        counted = self.positions == "sinusoidal_1d" and self.classifier == "token"
        return FixedPositions.of(self.positions, first=int(counted))

    def layers_after(self, path: str) -> int | None:
        """How many layers follow the parameter at this path; see `scenic_video.optimizers`."""
        return layers_after(path, self._encoder_layers(), self.after_layers)

    def _encoder_layers(self) -> list[EncoderLayers]:
        """The layers of each encoder; each encoder takes the output of the one before it."""
        return [
            EncoderLayers(self.num_layers, rf"^Transformer/{ENCODER_BLOCK}", self.before_layers)
        ]

    def _block(self, block: type[nn.Module] = EncoderBlock, **fields: Any) -> Callable[..., Any]:
        defaults = {
            "mlp_dim": self.mlp_dim,
            "num_heads": self.num_heads,
            "dropout_rate": self.dropout_rate,
            "attention_dropout_rate": self.attention_dropout_rate,
            "rescale_kept_branches": self.rescale_kept_branches,
            "exact_gelu": self.exact_gelu,
            "norm_epsilon": self.norm_epsilon,
            "layer_norm": self.layer_norm,
            "attention": functools.partial(attention, implementation=self.attention_implementation),
            "dtype": self.dtype,
        }
        return functools.partial(block, **(defaults | fields))

    def _encode(
        self,
        tokens: Float[Array, "b *frames n d"],
        *,
        grid: tuple[int, ...],
        block: Callable[..., Any],
        train: bool,
        encoder: Callable[..., Encoder] = Encoder,
        num_layers: int | None = None,
        name: str = "Transformer",
        class_token: str = "cls",
    ) -> Float[Array, "b *frames m d"]:
        """Adds a class token and positions to sequences, which are a flattened `grid`, and encodes
        them.

        It takes many parameters because the encoders of a factorised model differ in name and
        depth.
        """
        positions = self.positions
        if positions == "sinusoidal":
            tokens, positions = add_sinusoidal_positions(tokens, grid), "none"
        if self.classifier == "token":
            added = [f"{class_token}_distillation"] if self.distillation_token else []
            for name_of_token in (*added, class_token):
                token = self.param(name_of_token, nn.initializers.zeros, (1, 1, self.hidden_size))
                tokens = prepend_class_token(tokens, token)
        encode = encoder(
            num_layers=self.num_layers if num_layers is None else num_layers,
            block=block,
            positions=positions,
            dropout_rate=self.dropout_rate,
            stochastic_depth_rate=self.stochastic_depth_rate,
            remat=self.remat,
            norm_epsilon=self.norm_epsilon,
            layer_norm=self.layer_norm,
            name=name,
        )
        return encode(tokens, train=train)

    def _classify(self, features: Float[Array, "b d"], *, train: bool) -> Float[Array, "b c"]:
        self.sow("intermediates", "features", features)
        return classify(
            self._probe(features, train=train),
            self.num_classes,
            representation_size=self.representation_size,
            bias_init=self.head_bias_init,
        )

    def _probe(
        self, features: Float[Array, "n d"], *, mask: Bool[Array, " n"] | None = None, train: bool
    ) -> Float[Array, "n d"]:
        """The input of the head. For a linear probe, only features where `mask` is True count in
        the BatchNorm statistics."""
        if not self.linear_probe:
            return features
        norm = nn.BatchNorm(
            use_running_average=not train,
            momentum=0.9,
            epsilon=1e-6,
            use_bias=False,
            use_scale=False,
            name="BatchNorm_0",
        )
        mask = None if mask is None else jnp.broadcast_to(mask[:, None], features.shape)
        return norm(jax.lax.stop_gradient(features), mask=mask)
