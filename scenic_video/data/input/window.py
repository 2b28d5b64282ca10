"""The frames, clips and crops of an example that are read for a batch."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Float, Int, Shaped

from scenic_video.data.decoding import sampling
from scenic_video.data.decoding.conversion import SharedCrop
from scenic_video.data.decoding.video_reader import VideoReader
from scenic_video.data.examples import Example


@dataclasses.dataclass(frozen=True)
class Window:
    """The clips of an example that all modalities read.

    `reader` is open on the example's video. `frames` are indices of `reader.timestamps`, and row i
    of `clips` are the indices of clip i in `frames`. `crop` is the same for all modalities with
    frames. A view is one clip with one crop. In evaluation, `num_crops` of `crop_size` are cropped
    after `crop`; in training it is None, and `crop` is the only one.
    """

    example: Example
    reader: VideoReader
    frames: Int[np.ndarray, " n"]
    clips: Int[np.ndarray, "clips t"]
    crop: SharedCrop
    short_clips: str
    crop_size: tuple[int, int]
    num_crops: int | None = None

    @property
    def times(self) -> Float[np.ndarray, " n"]:
        """The times of the frames in seconds from the first frame of the video file."""
        return self.reader.timestamps[self.frames]

    @functools.cached_property
    def middles(self) -> list[float]:
        """The middle of each clip in seconds from the first frame of the example."""
        times = self.times[self.clips] - float(self.reader.timestamps[0])
        return ((times.min(axis=1) + times.max(axis=1)) / 2).tolist()

    @property
    def duration(self) -> float:
        """Seconds from the first frame of the example to its end."""
        return self.reader.finish - float(self.reader.timestamps[0])

    def views_of_frames(
        self, frames: Shaped[np.ndarray, "n height width c"]
    ) -> Shaped[np.ndarray, "v t h w c"]:
        """The views of what was read for `self.frames`: all clips of a crop, then of the next."""
        if self.num_crops is None:
            return frames[None]
        height, width = self.crop_size
        corners = sampling.view_corners(
            *frames.shape[1:3], crop=self.crop_size, num_crops=self.num_crops
        )
        shape = (self.num_crops, self.clips.size, height, width, frames.shape[-1])
        views = np.empty(shape, frames.dtype)
        for crop_views, (top, left) in zip(views, corners, strict=True):
            cropped = frames[:, top : top + height, left : left + width]
            for view_frame, index in zip(crop_views, self.clips.flat, strict=True):
                view_frame[...] = cropped[index]
        return views.reshape(-1, self.clips.shape[1], height, width, frames.shape[-1])

    def views_of_clips(
        self, arrays: Shaped[np.ndarray, "clips *shape"]
    ) -> Shaped[np.ndarray, "v *shape"]:
        """The views of arrays that were read once per clip, for all its crops."""
        return np.concatenate([arrays] * (self.num_crops or 1))
