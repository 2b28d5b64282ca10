"""Where the parameters of a view come from in an image model."""

import dataclasses
import functools
import math
import re

import numpy as np

from projects.mtv.resampling import Tables, joined, view_of
from scenic_video.errors import UserError
from scenic_video.weights.image_models import (
    TABLE,
    by_times,
    num_class_tokens,
    require_image_model,
    take_kernel,
    take_positions,
)
from scenic_video.weights.initialize import Take
from scenic_video.weights.model_weights import ModelWeights

IMAGE_NAMES = (
    (r"MultiviewEncoder/(?:cross_view_)?encoderblock_(\d+)(?:_view\d+)?", r"encoderblock_\1"),
    (r"/msa_ln_view\d+", "/LayerNorm_0"),
    (r"/msa_view\d+", "/MultiHeadDotProductAttention_0"),
    (r"/mlp_ln_view\d+", "/LayerNorm_1"),
    (r"/mlp_view\d+", "/MlpBlock_0"),
    (r"^encoderblock", "Transformer/encoderblock"),
)
"""The parts of a view's paths that have other names in an image model."""


@dataclasses.dataclass(frozen=True)
class ImageView:
    """A view of an MTV and its image model, whose paths begin with the view: "view0/cls"."""

    view: int
    target: ModelWeights
    image: ModelWeights
    kernel: str

    def __post_init__(self):
        require_image_model(
            self.image,
            instead=f"Start view {self.view} from a ViT, or all of MTV with from_multiview_model.",
        )

    def take(self, path: str) -> Take:
        """Where a parameter of the view comes from."""
        assert view_of(path) == self.view
        shape = tuple(self.target.flat[path].shape)
        if path == f"embedding_view{self.view}/kernel":
            return take_kernel(
                self._path("embedding/kernel"),
                shape,
                kernel=self.image.flat.get("embedding/kernel"),
                inflation=self.kernel,
                resampling=self.target.resampling,
            )
        if path.startswith("embedding"):
            return Take(self._path("embedding/bias"))
        if path == f"cls_view{self.view}":
            how = functools.partial(_repeat_class_token, times=shape[1])
            return Take(self._path("cls"), how, f"repeat for {shape[1]} times")
        if path.endswith("pos_embedding"):
            return self._positions()
        for pattern, name in IMAGE_NAMES:
            path = re.sub(pattern, name, path)
        return Take(self._path(path))

    def _path(self, path: str) -> str:
        return f"view{self.view}/{path}"

    def _positions(self) -> Take:
        """As `take_positions`; audio has one row, the mean over an image's rows."""
        path, image_grid = self._path(f"Transformer/{TABLE}"), self.image.token_grid("rgb")
        rows, columns = self._grid(image_grid)
        class_token = f"cls_view{self.view}" in self.target.flat
        averages = rows == 1 and image_grid is not None and image_grid[0] > 1
        take = take_positions(
            path,
            grid=(1, columns if averages else rows, columns),
            class_tokens=int(class_token),
            image_class_tokens=num_class_tokens(self.image),
            image_grid=image_grid,
            resampling=self.target.resampling,
        )
        if not averages:
            return take
        how = functools.partial(_mean_of_rows, take=take, num_tokens=int(class_token))
        return Take(path, how, f"{take.name}, mean over rows")

    def _grid(self, image_grid: tuple[int, ...] | None) -> tuple[int, ...]:
        """Rows and columns of the view; if unknown, those of the image, which must be as many."""
        tables = Tables(self.target)
        places = tables.num_places(self.view)
        grid = tables.grid(self.view) or image_grid or (1, places)
        if len(grid) != 2 or math.prod(grid) != places:
            raise UserError(
                f"View {self.view} has {places} positions per frame and its image model "
                f"{by_times(grid)}, but the rows and columns of the view are unknown, because the "
                "size of its inputs is."
            )
        return grid


def _mean_of_rows(table: np.ndarray, *, take: Take, num_tokens: int) -> np.ndarray:
    tokens, places = np.split(take(table)[0], [num_tokens])
    side = math.isqrt(len(places))  # the columns of audio; the rows were resampled to as many
    return joined(tokens, places.reshape(side, side, -1).mean(axis=0))


def _repeat_class_token(token: np.ndarray, *, times: int) -> np.ndarray:
    return token[:, None].repeat(times, axis=1)
