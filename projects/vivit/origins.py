"""Where the parameters of a ViT or ViViT come from in an image model or another ViViT."""

import dataclasses
import re
from typing import Literal

import numpy as np

from scenic_video.weights.image_models import (
    TABLE,
    grid_of_positions,
    num_class_tokens,
    present,
    take_kernel,
    take_positions,
    take_resampled_positions,
)
from scenic_video.weights.initialize import Take
from scenic_video.weights.model_weights import ModelWeights

TimeAttention = Literal["random", "copy", "zero"]
TIME_ATTENTION = r".*(LayerNorm|MultiHeadDotProductAttention)_time/.*"
TIME_OUT = re.compile(r".*/MultiHeadDotProductAttention_time/out/.*")
"""The last layer of attention over time. If it is zero, the attention changes nothing."""

JOINT_NAMES = (
    ("LayerNorm_(space|time)", "LayerNorm_0"),
    ("MultiHeadDotProductAttention_(space|time)", "MultiHeadDotProductAttention_0"),
    ("LayerNorm_mlp", "LayerNorm_1"),
    ("MlpBlock(?!_)", "MlpBlock_0"),
)
"""The parts of paths in factorised self-attention that have other names in joint attention."""

ONE_ENCODER = (("SpatialTransformer", "Transformer"),)
"""The part of paths in a factorised encoder that has another name elsewhere."""

CLASS_TOKENS = ("cls", "cls_distillation", "cls_SpatialTransformer", "cls_TemporalTransformer")


@dataclasses.dataclass(frozen=True)
class Origins:
    """The origins of the parameters of `target` in `source`: see `from_image_model`."""

    target: ModelWeights
    source: ModelWeights
    time_attention: TimeAttention = "random"
    kernel: str = "central_frame"

    def random(self) -> list[str]:
        """Patterns of parameters that keep random values, beside heads and the temporal
        transformer."""
        tokens = [name for name in CLASS_TOKENS if name in self.target.flat]
        random = [name for name in tokens if self._renamed(name) not in self.source.flat]
        if not self._factorises or self.time_attention == "copy":
            return random
        zero = self.time_attention == "zero"
        return [*random, rf"(?!{TIME_OUT.pattern}){TIME_ATTENTION}" if zero else TIME_ATTENTION]

    def unused(self) -> list[str]:
        """The class tokens that only the source has."""
        used = {self._renamed(path) for path in self.target.flat}
        return [name for name in CLASS_TOKENS if name in self.source.flat and name not in used]

    def from_image(self, path: str) -> Take:
        """Where a parameter comes from in an image model."""
        shape = self.target.flat[path].shape
        if path == "embedding/kernel":
            return take_kernel(
                path,
                shape,
                kernel=self.source.flat.get(path),
                inflation=self.kernel,
                resampling=self.target.resampling,
            )
        if path.endswith(TABLE) and not path.startswith("Temporal"):
            tokens = class_tokens(path, self.target)
            return take_positions(
                self._renamed(path),
                grid=grid_of_positions(self.target, shape[1] - tokens, "rgb"),
                class_tokens=tokens,
                image_class_tokens=class_tokens(self._renamed(path), self.source),
                image_grid=self.source.token_grid("rgb"),
                resampling=self.target.resampling,
            )
        return self._block(path)

    def from_video(self, path: str) -> Take:
        """Where a parameter comes from in another ViViT, or in the same model."""
        old = self._renamed(path)
        array = self.source.flat.get(old)
        if array is None:
            return Take(old)
        shape = self.target.flat[path].shape
        if path == "embedding/kernel" and len(array.shape) == len(shape):
            resampling = self.target.resampling
            return take_kernel(path, shape, kernel=array, resampling=resampling)
        return self._positions(path, old) if path.endswith(TABLE) else self._block(path)

    def _positions(self, path: str, old: str) -> Take:
        tokens = class_tokens(path, self.target), class_tokens(old, self.source)
        tables = (self.target.flat[path], self.source.flat[old])
        unknown = None in (self.target.token_grid("rgb"), self.source.token_grid("rgb"))
        if unknown and path == old and tables[0].shape == tables[1].shape:
            return Take(path)
        new, before = _grid(path, self.target), _grid(old, self.source)
        resampling = self.target.resampling
        return take_resampled_positions(
            old, old=before, new=new, tokens=tokens, resampling=resampling
        )

    def _block(self, path: str) -> Take:
        if self._factorises and self.time_attention == "zero" and TIME_OUT.fullmatch(path):
            return Take(self._renamed(path), np.zeros_like, "zeros")
        return Take(self._renamed(path))

    @property
    def _factorises(self) -> bool:
        """Whether the target has attention over time apart and the source has not."""
        apart = [bool(present([TIME_ATTENTION], x.flat)) for x in (self.target, self.source)]
        return apart == [True, False]

    def _renamed(self, path: str) -> str:
        """The path in the source."""
        has_frames = any(name.startswith("SpatialTransformer") for name in self.source.flat)
        names = () if has_frames else (("^cls_SpatialTransformer$", "cls"), *ONE_ENCODER)
        if self._factorises:
            names = (*names, *JOINT_NAMES)
        for pattern, name in names:
            path = re.sub(pattern, name, path)
        return path


def class_tokens(path: str, weights: ModelWeights) -> int:
    """How many class tokens' positions begin a table."""
    encoder = path.partition("/")[0]
    return num_class_tokens(weights, "cls" if encoder == "Transformer" else f"cls_{encoder}")


def _grid(path: str, weights: ModelWeights) -> tuple[int, ...]:
    """The grid of a table of positions: of a clip, of a frame, or over time."""
    places = weights.flat[path].shape[1] - class_tokens(path, weights)
    if path.startswith("Temporal"):
        return (places,)
    grid = grid_of_positions(weights, places, "rgb")
    return grid[1:] if path.startswith("Spatial") else grid
