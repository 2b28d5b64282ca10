"""Computes the optical flow of videos, and keeps it beside them.

By OpenCV's DIS (Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016): of what
runs on any CPU it is the fastest at its accuracy. Farneback's, the other one OpenCV ships, takes
longer and smears the edges of what moves.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from jaxtyping import UInt8

from scenic_video.config import ConfigError
from scenic_video.data import sampling
from scenic_video.data.conversion import RgbConverter
from scenic_video.data.decoding import VideoReader
from scenic_video.data.examples import Dataset
from scenic_video.data.flow import flow_path, motion_to_pixels
from scenic_video.data.jobs import Job, Result, work
from scenic_video.data.replacing import replacing
from scenic_video.data.transcoding import encode, stored_size

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# All of the colours are kept (444): they are numbers.
CODEC = {"preset": "veryfast", "g": "16", "crf": "12", "x264-params": "mbtree=0"}


def write_flow(
    source: str, destination: str | Path, *, short_side: int = 256, preset: str = "medium"
) -> bool:
    """Writes the flow of a whole video, a picture a frame, whose shorter side is `short_side`.

    The last frame repeats the motion of the one before. `preset` is "ultrafast", "fast" or
    "medium", from fast to accurate. A file that exists stays, and False is returned.
    Errors: UnreadableVideo.
    """
    if Path(destination).exists():
        return False
    with VideoReader(source) as reader, replacing(Path(destination)) as scratch:
        pictures = _pictures(reader, short_side=short_side, preset=preset)
        encode(scratch, reader, pictures, iter(()), CODEC)
    return True


def write_flow_of(
    dataset: Dataset,
    *,
    num_workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> list[Result]:
    """Writes the flow of every video of a dataset beside it; `options` are those of `write_flow`.

    Examples that name a flow of their own are left alone. Errors: ValueError for records.
    """
    _require_opencv()
    jobs = _jobs(dataset)
    results = []
    for result in work(functools.partial(_run, options), jobs, num_workers=num_workers):
        results.append(result)
        if progress is not None:
            progress(len(results), len(jobs))
    return results


def _jobs(dataset: Dataset) -> Sequence[Job]:
    videos = dict.fromkeys(
        example.video
        for example in itertools.chain(*dataset.splits.values())
        if example.flow is None
    )
    if any(isinstance(video, bytes) for video in videos):
        raise ValueError(f"{dataset.name!r} lies in records. Compute the flow of its files.")
    return [Job(str(video), str(flow_path(str(video)))) for video in videos]


def _run(options: dict[str, Any], job: Job) -> bool:
    return write_flow(job.source, job.destination, **options)


def _pictures(reader: VideoReader, *, short_side: int, preset: str) -> Iterator[av.VideoFrame]:
    cv2 = _require_opencv()
    estimator = cv2.DISOpticalFlow_create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{preset.upper()}"))
    frames = _grey(reader, short_side)
    first, now = next(frames, (0, None))
    tick, motion = first, None
    while now is not None:
        later, following = next(frames, (0, None))
        if following is not None:
            motion = estimator.calc(now, following, None)
        elif motion is None:
            motion = np.zeros((*now.shape, 2), np.float32)
        picture = av.VideoFrame.from_ndarray(motion_to_pixels(motion), format="rgb24")
        picture = picture.reformat(format="yuv444p")
        picture.pts, picture.time_base = tick - first, reader.time_base
        yield picture
        tick, now = later, following


def _grey(reader: VideoReader, short_side: int) -> Iterator[tuple[int, UInt8[np.ndarray, "h w"]]]:
    """The frames' times in ticks, and their brightness."""

    def whole(height: int, width: int) -> sampling.Crop:
        size = stored_size(height, width, short_side=short_side)
        return sampling.Crop(0, 0, height, width, *size)

    convert = RgbConverter(whole)
    for tick, frame in reader.frames():
        rgb = convert(frame).astype(np.float32)
        yield tick, np.round(rgb @ LUMA).astype(np.uint8)


def _require_opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise ConfigError(
            "Optical flow is computed by OpenCV, which is not installed: pip install -e '.[flow]'"
        ) from error
    return cv2
