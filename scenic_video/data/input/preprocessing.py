"""What a model sees and hears of a video: one object for training, evaluation and prediction."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from annotated_types import Len
from jaxtyping import Int, UInt8

from scenic_video.config import near
from scenic_video.data.decoding import sampling
from scenic_video.data.decoding.conversion import ChooseCrop, RgbConverter, SharedCrop
from scenic_video.data.decoding.video_reader import VideoReader
from scenic_video.data.examples import Example
from scenic_video.data.flow.reading import read_flow
from scenic_video.data.input.audio import Audio, is_audible
from scenic_video.data.input.geometry import Geometry
from scenic_video.errors import UserError
from scenic_video.field_types import Names, Number, Pair, Positive, PositiveInt
from scenic_video.modalities.names import MODALITIES

Inputs = dict[str, np.ndarray]
"""What one example gives a batch, by name; see `Preprocessing`."""


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """Which frames, pixels and audio of a video are a model's input.

    `modalities` says what of it: "rgb" gives uint8 pictures "rgb" [t, h, w, 3]; "audio" gives
    an int16 "waveform" [samples], as `audio` says, and "has_audio", 1 or 0 for a clip that is
    silent or has no audio at all; "flow" gives uint8 "flow" [t, h, w, 2], see `data.flow`. Pictures
    and flow are those of the same frames, cut by the same crop. Audio is `audio.seconds` long, more
    or less than the frames take, and has its middle where theirs is.

    A clip has `num_frames` frames, every `stride`-th of the file's own, or, where `frame_rate` is
    given, of the video as shown at that rate. Frames are counted by timestamps, so that the
    seconds a clip spans do not depend on the file, should its frame rate even vary.
    `short_clips` says how a shorter video fills a clip: "loop" starts again, "pad" repeats its
    last frame.

    The shorter side of the picture becomes `resize` pixels and `crop`, one side of a square or
    (height, width), is cut out; where the crop would not fit, the picture is enlarged until it
    does. `mean` and `std` are for pixel / 255, channel by channel; arrays stay uint8 here.

    Flow is read from `flow_folder`, if that is given and holds it, else from beside the video.

    Errors: ValueError where a field cannot be.
    """

    num_frames: PositiveInt
    stride: PositiveInt = 1
    frame_rate: Positive | None = None
    resize: PositiveInt = 256
    crop: PositiveInt | Pair = 224
    short_clips: str = "loop"
    mean: Annotated[Sequence[Number], Len(3, 3)] = (0.5, 0.5, 0.5)
    std: Annotated[Sequence[Positive], Len(3, 3)] = (0.5, 0.5, 0.5)
    modalities: Names = ("rgb",)
    audio: Audio | None = None
    flow_folder: str | None = None

    def __post_init__(self) -> None:
        for name in ("crop", "mean", "std", "modalities"):
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
        names = tuple(self.modalities)
        known = bool(names) and len(set(names)) == len(names) and set(names) <= {*MODALITIES}
        _check(known, "modalities", names, f"be some of {MODALITIES}, each once")
        hears = "audio" in names
        wish = f"be {'given' if hears else 'None'} where modalities are {names}"
        _check(hears == (self.audio is not None), "audio", self.audio, wish)

    @property
    def crop_size(self) -> tuple[int, int]:
        """(height, width) of a clip's pictures."""
        if isinstance(self.crop, int):
            return self.crop, self.crop
        return self.crop[0], self.crop[1]

    @property
    def input_sizes(self) -> dict[str, tuple[int, ...]]:
        """(frames, rows, columns) of pictures and flow, (columns, mel bins) of spectrograms."""
        clip = (self.num_frames, *self.crop_size)
        sizes: dict[str, tuple[int, ...]] = {
            name: clip for name in ("rgb", "flow") if name in self.modalities
        }
        if self.audio is not None:
            sizes["audio"] = (self.audio.num_columns, self.audio.num_mel_bins)
        return sizes

    @property
    def seconds(self) -> float | None:
        """What the frames of a clip take; None where that depends on the file's frame rate."""
        return self.num_frames * self.stride / self.frame_rate if self.frame_rate else None

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` is its inverse."""
        fields = dataclasses.asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Preprocessing":
        known = [field.name for field in dataclasses.fields(cls)]
        for name in fields:
            if name not in known:
                raise UserError(f"Preprocessing has no field {name!r}{near(name, known)}")
        audio = fields.get("audio")
        return cls(**{**fields, "audio": audio and Audio.of(audio)})

    def blank_inputs(self, *leading: int) -> Inputs:
        """Zeros of the shapes and types of a clip's inputs, behind the axes `leading`."""
        inputs: Inputs = {}
        for name, channels in (("rgb", 3), ("flow", 2)):
            if name in self.modalities:
                shape = (*leading, self.num_frames, *self.crop_size, channels)
                inputs[name] = np.zeros(shape, np.uint8)
        if self.audio is not None:
            inputs["waveform"] = np.zeros((*leading, self.audio.num_samples), np.int16)
            inputs["has_audio"] = np.zeros(leading, np.float32)
        return inputs

    def train_inputs(
        self, example: Example, rng: np.random.Generator, geometry: Geometry
    ) -> Inputs:
        """The inputs of a clip from anywhere in the example, cropped and mirrored at random.

        Errors: UnreadableVideo, also for a clip that is damaged by the rule of
        `VideoReader.require_whole`.
        """
        draw_crop = geometry.draw_crop(resize=self.resize, crop=self.crop_size)
        with self._open(example) as reader:
            timeline = self._timeline(reader)
            offset = sampling.random_offset(
                rng, len(timeline), num_frames=self.num_frames, stride=self.stride
            )
            mirrored = bool(geometry.flip) and rng.random() < 0.5
            choose_crop = functools.partial(draw_crop, rng, mirrored=mirrored)
            frames = timeline[self._indices(timeline, offset)]
            inputs = self._see(example, reader, frames, choose_crop)
            heard = self._hear(example, reader, frames[None])
            return inputs | {name: x[0] for name, x in heard.items()}

    def eval_inputs(self, example: Example, *, num_clips: int = 1, num_crops: int = 1) -> Inputs:
        """All views [v, ...] from one decode: every clip of the first crop, then the next.

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
            heard = self._hear(example, reader, clips)
            frames, clips = np.unique(clips, return_inverse=True)
            whole = functools.partial(
                sampling.whole_picture, resize=self.resize, crop=self.crop_size
            )
            seen = self._see(example, reader, frames, whole)
        inputs = {name: self._cut_views(x, clips, num_crops) for name, x in seen.items()}
        return inputs | {name: np.concatenate([x] * num_crops) for name, x in heard.items()}

    def _see(
        self,
        example: Example,
        reader: VideoReader,
        frames: Int[np.ndarray, "n"],
        choose_crop: ChooseCrop,
    ) -> Inputs:
        """The same crop of pictures and flow at these frames."""
        crop, inputs = SharedCrop(choose_crop), {}
        if "rgb" in self.modalities:
            inputs["rgb"] = reader.read(frames, RgbConverter(crop))
            reader.require_whole()
        if "flow" in self.modalities:
            inputs["flow"] = read_flow(example, reader.timestamps[frames], crop, self.flow_folder)
        return inputs

    def _hear(
        self, example: Example, reader: VideoReader, clips: Int[np.ndarray, "clips t"]
    ) -> Inputs:
        """The audio around the frames of every clip."""
        if self.audio is None:
            return {}
        begin = float(reader.timestamps[0])
        times = reader.timestamps[clips] - begin
        waveforms = self.audio.read(
            example.video,
            ((times.min(axis=1) + times.max(axis=1)) / 2).tolist(),
            begin=reader.first_time,
            duration=reader.finish - begin,
            short_clips=self.short_clips,
        )
        return {"waveform": waveforms, "has_audio": is_audible(waveforms)}

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
        pictures: UInt8[np.ndarray, "frames height width c"],
        clips: Int[np.ndarray, "clips t"],
        num_crops: int,
    ) -> UInt8[np.ndarray, "v t h w c"]:
        height, width = self.crop_size
        corners = sampling.view_corners(
            *pictures.shape[1:3], crop=self.crop_size, num_crops=num_crops
        )
        channels = pictures.shape[-1]
        views = np.empty((num_crops, clips.size, height, width, channels), np.uint8)
        for crop_views, (top, left) in zip(views, corners, strict=True):
            cut = pictures[:, top : top + height, left : left + width]
            for picture, index in zip(crop_views, clips.flat, strict=True):
                picture[...] = cut[index]
        return views.reshape(-1, self.num_frames, height, width, channels)


def _check(holds: bool, name: str, value: Any, wanted: str) -> None:
    if not holds:
        raise UserError(f"Preprocessing.{name} must {wanted}; got {value!r}.")
