"""The inputs of a model from a video, in training, evaluation and prediction."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from scenic_video.config import check_fields, require
from scenic_video.data.decoding import sampling
from scenic_video.data.decoding.conversion import ChooseCrop, SharedCrop
from scenic_video.data.decoding.video_reader import VideoReader
from scenic_video.data.examples import Example
from scenic_video.data.input.geometry import Geometry
from scenic_video.data.input.modality import Inputs, Modalities, built, node_of
from scenic_video.data.input.window import Window
from scenic_video.errors import UserError
from scenic_video.field_types import Names, Pair, Positive, PositiveInt
from scenic_video.modalities.names import DEFAULT

FIELDS = ("num_frames", "stride", "frame_rate", "resize", "crop", "short_clips", "modalities")


@dataclasses.dataclass(frozen=True, init=False)
class Preprocessing:
    """Which frames of a video form a clip, and which modalities are read.

    A clip has `num_frames` frames: every `stride`-th frame of the file or, with `frame_rate`, of
    the video resampled to that rate. It is resampled by timestamps, so that clips then last equally
    long in all files, even with variable frame rates. `short_clips` states how a shorter video
    fills a clip: "loop" starts again, "pad" repeats its last frame.

    The shorter side of frames is resized to `resize` pixels, and then `crop`, the side of a square
    or (height, width), is cropped. If the crop does not fit, the frame is enlarged until it does.

    `modalities` are the names of the model's inputs, such as ("rgb", "audio"). The fields of each
    are a node of that name, `audio=dict(seconds=2.0)`, which for those of other packages has a
    `target`. All modalities are read for the same clips and the same crop. In Python, nodes may be
    objects, and `modalities` may map names to them.

    Errors: UserError for invalid fields.
    """

    num_frames: int
    stride: int
    frame_rate: float | int | None
    resize: int
    crop: int | tuple[int, int]
    short_clips: sampling.ShortClips
    modalities: Modalities

    def __init__(
        self,
        num_frames: PositiveInt,
        stride: PositiveInt = 1,
        frame_rate: Positive | None = None,
        resize: PositiveInt = 256,
        crop: PositiveInt | Pair = 224,
        short_clips: sampling.ShortClips = "loop",
        modalities: Names | Mapping[str, Any] = DEFAULT,
        **nodes: Any,
    ):
        crop = tuple(crop) if isinstance(crop, Sequence) else crop
        values = (num_frames, stride, frame_rate, resize, crop, short_clips)
        for name, value in zip(FIELDS, values, strict=False):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "modalities", built(modalities, nodes, fields=FIELDS))
        check_fields(self)
        self._check_arrays()

    def __hash__(self) -> int:
        fields = tuple(getattr(self, name) for name in FIELDS[:-1])
        return hash((fields, frozenset(self.modalities.items())))

    def _check_arrays(self) -> None:
        arrays = [array for x in self.modalities.values() for array in x.blank(self.clip_shape)]
        twice = {array for array in arrays if arrays.count(array) > 1}
        require({f"modalities of which only one has {', '.join(twice)}": not twice}, of=self)

    @property
    def crop_size(self) -> tuple[int, int]:
        """(height, width) of a clip's frames."""
        if isinstance(self.crop, int):
            return self.crop, self.crop
        return self.crop[0], self.crop[1]

    @property
    def clip_shape(self) -> tuple[int, int, int]:
        """(frames, rows, columns)."""
        return self.num_frames, *self.crop_size

    @property
    def input_sizes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the model's inputs without batch and channels, by modality."""
        return {name: x.input_size(self.clip_shape) for name, x in self.modalities.items()}

    @property
    def seconds(self) -> float | None:
        """The duration of a clip; None if it depends on the frame rate of the file."""
        return self.num_frames * self.stride / self.frame_rate if self.frame_rate else None

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` is its inverse."""
        fields = {name: getattr(self, name) for name in FIELDS} | {"modalities": [*self.modalities]}
        nodes = {name: node_of(modality) for name, modality in self.modalities.items()}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in (fields | nodes).items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Preprocessing":
        nodes = {name: node for name, node in fields.items() if name not in FIELDS}
        modalities = built(fields.get("modalities", DEFAULT), nodes, fields=FIELDS)
        own: dict[str, Any] = {k: x for k, x in fields.items() if k in FIELDS}
        return cls(**{**own, "modalities": modalities})

    def blank_inputs(self, *leading: int) -> Inputs:
        """Zeros like the inputs of one clip, with axes of sizes `leading` in front."""
        inputs: Inputs = {}
        for modality in self.modalities.values():
            inputs |= modality.blank(self.clip_shape, *leading)
        return inputs

    def train_inputs(
        self, example: Example, rng: np.random.Generator, geometry: Geometry
    ) -> Inputs:
        """The inputs of a random clip of the example, with a random crop and flip.

        Errors: UnreadableVideo, also for a clip that is too damaged, see
        `VideoReader.require_whole`.
        """
        random_crop = geometry.random_crop(resize=self.resize, crop=self.crop_size)
        with self._open(example) as reader:
            timeline = self._timeline(reader)
            offset = sampling.random_offset(
                rng, len(timeline), num_frames=self.num_frames, stride=self.stride
            )
            flipped = bool(geometry.flip) and rng.random() < 0.5
            choose_crop = functools.partial(random_crop, rng, flipped=flipped)
            frames = timeline[self._indices(timeline, offset)]
            clips = np.arange(len(frames))[None]
            inputs = self._read(self._window(example, reader, frames, clips, choose_crop))
            return {name: views[0] for name, views in inputs.items()}

    def eval_inputs(self, example: Example, *, num_clips: int = 1, num_crops: int = 1) -> Inputs:
        """All views [v, ...], decoded once: all clips of the first crop, then of the next.

        One clip is the middle one; several are spread from start to end. One crop is the centre;
        three are left, centre and right (top, centre and bottom of a tall frame).
        Errors: UnreadableVideo.
        """
        with self._open(example) as reader:
            timeline = self._timeline(reader)
            offsets = sampling.spread_offsets(
                len(timeline), num_clips=num_clips, num_frames=self.num_frames, stride=self.stride
            )
            clips = np.stack([timeline[self._indices(timeline, offset)] for offset in offsets])
            frames, clips = np.unique(clips, return_inverse=True)
            clips = clips.reshape(num_clips, -1)
            whole = functools.partial(sampling.whole_frame, resize=self.resize, crop=self.crop_size)
            window = self._window(example, reader, frames, clips, whole)
            return self._read(dataclasses.replace(window, num_crops=num_crops))

    def _window(
        self,
        example: Example,
        reader: VideoReader,
        frames: Int[np.ndarray, " n"],
        clips: Int[np.ndarray, "clips t"],
        choose_crop: ChooseCrop,
    ) -> Window:
        return Window(
            example=example,
            reader=reader,
            frames=frames,
            clips=clips,
            crop=SharedCrop(choose_crop),
            short_clips=self.short_clips,
            crop_size=self.crop_size,
        )

    def _read(self, window: Window) -> Inputs:
        """The arrays of all modalities, in their order; the first that uses the crop samples it."""
        inputs: Inputs = {}
        for name, modality in self.modalities.items():
            if isinstance(window.example.video, bytes) and not modality.in_records:
                raise UserError(
                    f"{window.example.id!r} is in TFDS records, which do not contain {name!r}. "
                    "Train on the video files instead."
                )
            inputs |= modality.read(window)
        return inputs

    def _open(self, example: Example) -> VideoReader:
        name = example.id if isinstance(example.video, bytes) else example.video
        return VideoReader(example.video, name=name, start=example.start, end=example.end)

    def _timeline(self, reader: VideoReader) -> Int[np.ndarray, "frames"]:
        """The frames from which clips take every `stride`-th, as indices of `reader.timestamps`."""
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
