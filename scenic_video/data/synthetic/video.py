"""Encodes frames and audio as H.264 and AAC in mp4, with reproducible bytes."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float, UInt8

from scenic_video.data.synthetic.audio import SAMPLE_RATE

# For reproducible bytes: with mbtree and B-frames together, the output of x264 differs from run to
# run (observed with build 165); it also depends on the number of threads.
VIDEO_OPTIONS = {
    "preset": "veryfast",
    "tune": "fastdecode",
    "crf": "24",
    "g": "12",
    "bf": "0",
    "x264-params": "mbtree=0",
    "threads": "1",
}
AUDIO_OPTIONS = {"aac_coder": "fast", "b": "32000"}


def write_video(
    path: Path,
    frames: UInt8[np.ndarray, "t h w 3"],
    audio: Float[np.ndarray, " samples"],
    *,
    frame_rate: int,
) -> None:
    """Writes an mp4 file whatever the suffix of `path`; `audio` is mono at `SAMPLE_RATE`."""
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        video = container.add_stream("libx264", rate=frame_rate, options=dict(VIDEO_OPTIONS))
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "yuv420p"
        audio_stream = container.add_stream("aac", rate=SAMPLE_RATE, options=dict(AUDIO_OPTIONS))
        audio_stream.layout = "mono"
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode())
        container.mux(audio_stream.encode(_audio_frame(audio)))
        container.mux(audio_stream.encode())


def _audio_frame(audio: np.ndarray) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(audio[None], format="fltp", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    frame.time_base = Fraction(1, SAMPLE_RATE)
    frame.pts = 0
    return frame
