"""The frames of a video, in RGB."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from annotated_types import Len
from jaxtyping import UInt8

from scenic_video.config import check_fields
from scenic_video.data.decoding.conversion import RgbConverter
from scenic_video.data.input.window import Window
from scenic_video.errors import UserError
from scenic_video.field_types import Number, Positive
from scenic_video.modalities.modality import Arrays, Augment, Modality


@dataclasses.dataclass(frozen=True)
class Rgb(Modality):
    """uint8 "rgb" [t, h, w, 3]; a model gets (pixel / 255 - mean) / std, per channel.

    Augmentations get float32 pixels in [0, 1]. Errors: UserError for invalid `mean` or `std`.
    """

    mean: Annotated[Sequence[Number], Len(3, 3)] = (0.5, 0.5, 0.5)
    std: Annotated[Sequence[Positive], Len(3, 3)] = (0.5, 0.5, 0.5)

    channels = 3
    letter = "V"
    in_records = True

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("mean", "std"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def read(self, window: Window) -> dict[str, np.ndarray]:
        frames = window.reader.read(window.frames, RgbConverter(window.crop))
        window.reader.require_whole()
        return {"rgb": window.views_of_frames(frames)}

    def blank(self, clip_shape: tuple[int, int, int], *leading: int) -> dict[str, np.ndarray]:
        return {"rgb": np.zeros((*leading, *clip_shape, 3), np.uint8)}

    def input_size(self, clip_shape: tuple[int, int, int]) -> tuple[int, ...]:
        return clip_shape

    def on_device(self, arrays: Arrays, augment: Augment) -> Any:
        """Normalised float32 [b, t, h, w, 3], or [b, h, w, 3] for images."""
        import jax.numpy as jnp
        from einops import rearrange

        pixels = jnp.asarray(arrays["rgb"])
        if pixels.dtype != jnp.uint8 or pixels.ndim not in (4, 5) or pixels.shape[-1] != 3:
            raise UserError(
                "The input rgb must be uint8 [B, T, H, W, 3] or [B, H, W, 3]; got "
                f"{pixels.dtype} {pixels.shape}."
            )
        clips = pixels if pixels.ndim == 5 else rearrange(pixels, "b h w c -> b 1 h w c")
        clips = augment(clips.astype(jnp.float32) / 255, mean=tuple(self.mean))
        channels = (1,) * (clips.ndim - 1) + (3,)
        mean, std = (np.asarray(x, np.float32).reshape(channels) for x in (self.mean, self.std))
        return ((clips - mean) / std).reshape(pixels.shape)

    def to_rgb(self, arrays: Mapping[str, np.ndarray]) -> UInt8[np.ndarray, "t h w 3"]:
        return arrays["rgb"]
