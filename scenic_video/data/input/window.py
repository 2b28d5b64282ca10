"""What is read of an example for a batch: which frames of its video, in which clips and crops."""

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

    `reader` is open on the example's video. `frames` are positions in `reader.timestamps`, and row
    i of `clips` says which of them clip i holds. Every array that changes from frame to frame is
    cut by `crop`, which is the same place for all modalities. A view is a clip and a crop: in
    evaluation `num_crops` of `crop_size` are cut out of what `crop` leaves, in training, where it
    is None, `crop` is all.
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
        """When the frames are shown: seconds from the first frame of the video file."""
        return self.reader.timestamps[self.frames]

    @functools.cached_property
    def middles(self) -> list[float]:
        """The middle of each clip: seconds from the example's first frame."""
        times = self.times[self.clips] - float(self.reader.timestamps[0])
        return ((times.min(axis=1) + times.max(axis=1)) / 2).tolist()

    @property
    def duration(self) -> float:
        """Seconds from the example's first frame to its end."""
        return self.reader.finish - float(self.reader.timestamps[0])

    def views_of_frames(
        self, pictures: Shaped[np.ndarray, "n height width c"]
    ) -> Shaped[np.ndarray, "v t h w c"]:
        """The views of what was read for each of `frames`: all clips of a crop, then the next."""
        if self.num_crops is None:
            return pictures[None]
        height, width = self.crop_size
        corners = sampling.view_corners(
            *pictures.shape[1:3], crop=self.crop_size, num_crops=self.num_crops
        )
        shape = (self.num_crops, self.clips.size, height, width, pictures.shape[-1])
        views = np.empty(shape, pictures.dtype)
        for crop_views, (top, left) in zip(views, corners, strict=True):
            cut = pictures[:, top : top + height, left : left + width]
            for picture, index in zip(crop_views, self.clips.flat, strict=True):
                picture[...] = cut[index]
        return views.reshape(-1, self.clips.shape[1], height, width, pictures.shape[-1])

    def views_of_clips(
        self, arrays: Shaped[np.ndarray, "clips *shape"]
    ) -> Shaped[np.ndarray, "v *shape"]:
        """The views of what was read for each clip, whatever its crop."""
        return np.concatenate([arrays] * (self.num_crops or 1))
