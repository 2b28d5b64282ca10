"""What a model sees of a video: one object for training, evaluation and prediction."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from scenic_video.config import near
from scenic_video.data import sampling
from scenic_video.data.conversion import RgbConverter
from scenic_video.data.decoding import VideoReader
from scenic_video.data.examples import Example


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """Which frames and pixels of a video are a model's input.

    A clip has `num_frames` frames, every `stride`-th of the file's own, or, where `frame_rate` is
    given, of the video as shown at that rate. Frames are counted by timestamps, so that the
    seconds a clip spans do not depend on the file, should its frame rate even vary.
    `short_clips` says how a shorter video fills a clip: "loop" starts again, "pad" repeats its
    last frame.

    The shorter side of the picture becomes `resize` pixels and `crop`, one side of a square or
    (height, width), is cut out; where the crop would not fit, the picture is enlarged until it
    does. `mean` and `std` are for pixel / 255, channel by channel; arrays stay uint8 here.

    Errors: ValueError where a field cannot be.
    """

    num_frames: int
    stride: int = 1
    frame_rate: float | int | None = None
    resize: int = 256
    crop: int | Sequence[int] = 224
    short_clips: str = "loop"
    mean: Sequence[float | int] = (0.5, 0.5, 0.5)
    std: Sequence[float | int] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        for name in ("crop", "mean", "std"):
            value = getattr(self, name)
            if isinstance(value, Sequence):
                object.__setattr__(self, name, tuple(value))
        for name in ("num_frames", "stride", "resize"):
            _check(getattr(self, name) >= 1, name, getattr(self, name), "be at least 1")
        rate = self.frame_rate
        _check(rate is None or rate > 0, "frame_rate", rate, "be positive, or None")
        is_size = isinstance(self.crop, int) or len(self.crop) == 2
        is_size = is_size and min(self.crop_size) >= 1
        _check(is_size, "crop", self.crop, "be a number of pixels or (height, width)")
        ways = sampling.SHORT_CLIPS
        _check(self.short_clips in ways, "short_clips", self.short_clips, f"be one of {ways}")
        _check(len(self.mean) == 3, "mean", self.mean, "be one number a channel")
        is_scale = len(self.std) == 3 and min(self.std) > 0
        _check(is_scale, "std", self.std, "be one positive number a channel")

    @property
    def crop_size(self) -> tuple[int, int]:
        """(height, width) of a clip's pictures."""
        if isinstance(self.crop, int):
            return self.crop, self.crop
        return self.crop[0], self.crop[1]

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` is its inverse."""
        fields = dataclasses.asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Preprocessing":
        known = [field.name for field in dataclasses.fields(cls)]
        for name in fields:
            if name not in known:
                raise ValueError(f"Preprocessing has no field {name!r}{near(name, known)}")
        return cls(**fields)

    def train_clip(
        self,
        example: Example,
        rng: np.random.Generator,
        *,
        scale_jitter: Sequence[float | int] | None,
        flip: bool,
    ) -> UInt8[np.ndarray, "t h w 3"]:
        """A clip from anywhere in the example, and anywhere in its picture.

        `scale_jitter` draws a factor each for the height and width of the resized picture from
        [low, high] (ViViT: 0.9 to 1.33). `flip` mirrors every other clip. Errors: UnreadableVideo.
        """
        jitter = None if scale_jitter is None else _jitter(scale_jitter)
        with self._open(example) as reader:
            timeline = self._timeline(reader)
            offset = sampling.random_offset(
                rng, len(timeline), num_frames=self.num_frames, stride=self.stride
            )
            choose_crop = functools.partial(
                sampling.random_crop,
                rng,
                resize=self.resize,
                crop=self.crop_size,
                scale_jitter=jitter,
                mirrored=flip and rng.random() < 0.5,
            )
            return reader.read(timeline[self._indices(timeline, offset)], RgbConverter(choose_crop))

    def eval_views(
        self, example: Example, *, num_clips: int = 1, num_crops: int = 1
    ) -> UInt8[np.ndarray, "v t h w 3"]:
        """All views of the example from one decode: every clip of the first crop, then the next.

        One clip is the middle one; more are spread from start to end. One crop is the centre;
        three are left, centre and right (top, centre and bottom of a tall picture).
        Errors: UnreadableVideo.
        """
        with self._open(example) as reader:
            timeline = self._timeline(reader)
            offsets = sampling.spread_offsets(
                len(timeline), num_clips=num_clips, num_frames=self.num_frames, stride=self.stride
            )
            clips = np.stack([timeline[self._indices(timeline, offset)] for offset in offsets])
            frames, clips = np.unique(clips, return_inverse=True)
            whole = functools.partial(
                sampling.whole_picture, resize=self.resize, crop=self.crop_size
            )
            pictures = reader.read(frames, RgbConverter(whole))
        return self._cut_views(pictures, clips, num_crops)

    def _open(self, example: Example) -> VideoReader:
        name = example.id if isinstance(example.video, bytes) else example.video
        return VideoReader(example.video, name=name, start=example.start, end=example.end)

    def _timeline(self, reader: VideoReader) -> Int[np.ndarray, "frames"]:
        """The reader's frames that a clip may hold, in order; stride counts along this."""
        if self.frame_rate is None:
            return np.arange(len(reader.timestamps))
        return sampling.resample_timeline(
            reader.timestamps, frame_rate=self.frame_rate, end=reader.finish
        )

    def _indices(self, timeline: Int[np.ndarray, "frames"], offset: int) -> Int[np.ndarray, "t"]:
        return sampling.clip_indices(
            len(timeline),
            offset,
            num_frames=self.num_frames,
            stride=self.stride,
            short_clips=self.short_clips,
        )

    def _cut_views(
        self,
        pictures: UInt8[np.ndarray, "frames height width 3"],
        clips: Int[np.ndarray, "clips t"],
        num_crops: int,
    ) -> UInt8[np.ndarray, "v t h w 3"]:
        height, width = self.crop_size
        corners = sampling.view_corners(
            *pictures.shape[1:3], crop=self.crop_size, num_crops=num_crops
        )
        views = np.empty((num_crops, clips.size, height, width, 3), np.uint8)
        for crop_views, (top, left) in zip(views, corners, strict=True):
            cut = pictures[:, top : top + height, left : left + width]
            for picture, index in zip(crop_views, clips.flat, strict=True):
                picture[...] = cut[index]
        return views.reshape(-1, self.num_frames, height, width, 3)


def _check(holds: bool, name: str, value: Any, wanted: str) -> None:
    if not holds:
        raise ValueError(f"Preprocessing.{name} must {wanted}; got {value!r}.")


def _jitter(scale_jitter: Sequence[float | int]) -> tuple[float, float]:
    if len(scale_jitter) != 2 or not 0 < scale_jitter[0] <= scale_jitter[1]:
        raise ValueError(f"scale_jitter is (lowest, highest) factor, both above 0; {scale_jitter}.")
    return float(scale_jitter[0]), float(scale_jitter[1])
