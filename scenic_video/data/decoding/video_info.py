"""The properties of a video: its times, size, orientation, codec and whether it has audio."""

import dataclasses

import av
import numpy as np
from jaxtyping import Float, UInt8

from scenic_video.data.decoding.containers import Source
from scenic_video.data.decoding.display_matrix import Orientation, orientation
from scenic_video.data.decoding.sampling import TIMESTAMP_ROUNDING
from scenic_video.data.decoding.video_reader import VideoReader


@dataclasses.dataclass(frozen=True, eq=False)
class VideoInfo:
    """The properties of a video, or of a part of it.

    `timestamps` are in seconds from the first frame of the file; `height` and `width` are those of
    the shown frame, flipped and rotated by `orientation`; `fps` is an average.
    """

    timestamps: Float[np.ndarray, "frames"]
    duration: float
    fps: float
    is_variable_frame_rate: bool
    height: int
    width: int
    orientation: Orientation
    codec: str
    has_audio: bool

    @property
    def rotation(self) -> int:
        """The clockwise rotation of frames in degrees: 0, 90, 180 or 270."""
        return self.orientation.rotation


def inspect(
    source: Source,
    *,
    name: str | None = None,
    start: float | int = 0.0,
    end: float | int | None = None,
) -> VideoInfo:
    """Reads the properties of a video and decodes its first frame. Errors: UnreadableVideo."""
    shown = []

    def note_size(frame: av.VideoFrame) -> UInt8[np.ndarray, "1 1 3"]:
        shown_as = orientation(frame)
        shown.append((shown_as.upright_size(frame), shown_as))
        return np.zeros((1, 1, 3), np.uint8)

    with VideoReader(source, name=name, start=start, end=end) as reader:
        reader.read([0], note_size)
        (height, width), shown_as = shown[0]
        duration = reader.finish - float(reader.timestamps[0])
        return VideoInfo(
            timestamps=reader.timestamps,
            duration=duration,
            fps=len(reader.timestamps) / duration,
            is_variable_frame_rate=_is_variable(reader.intervals),
            height=height,
            width=width,
            orientation=shown_as,
            codec=reader.codec,
            has_audio=reader.has_audio,
        )


def _is_variable(intervals: Float[np.ndarray, "intervals"]) -> bool:
    if len(intervals) == 0:
        return False
    usual = float(np.median(intervals))
    return bool(np.abs(intervals - usual).max() > 0.1 * usual + 2 * TIMESTAMP_ROUNDING)
