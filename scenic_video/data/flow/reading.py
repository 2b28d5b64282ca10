"""Optical flow beside a video: its path, its format, and how it is read.

Flow is stored as frames: red is the displacement to the right and green the one downwards, from
this frame to the next, and 128 is zero. The largest displacement is `FULL_SCALE` of the shorter
side per frame, so values do not depend on the size of the frames.

Times are seconds from the first frame of the whole video file, also for examples that are parts of
it.
"""

import os
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float, Int, Num, UInt8

from scenic_video.data.decoding.conversion import RgbConverter, SharedCrop
from scenic_video.data.decoding.opening import UnreadableVideo
from scenic_video.data.decoding.sampling import TIMESTAMP_ROUNDING, frames_on_screen
from scenic_video.data.decoding.video_info import inspect
from scenic_video.data.decoding.video_reader import VideoReader
from scenic_video.data.examples import Example
from scenic_video.data.flow import notes
from scenic_video.data.flow.archive import SUFFIX as ARCHIVE_SUFFIX
from scenic_video.data.flow.archive import open_archive
from scenic_video.errors import UserError

FULL_SCALE = 20 / 256
STILL = 128
SUFFIX = ".flow.mp4"
LONE_INTERVAL = 0.5
"""The duration of a flow frame in seconds if it is the only one."""


def flow_path(video: str | Path, folder: str | Path | None = None) -> Path:
    """Where `scenic-video data flow` writes the flow of a video: beside it.

    If `folder` is given, it is in that folder, under the absolute path of the video.
    """
    if folder is None:
        return Path(f"{video}{SUFFIX}")
    return Path(folder) / Path(f"{os.path.abspath(video)}{SUFFIX}").relative_to("/")


def motion_to_pixels(
    motion: Float[np.ndarray, "*frames h w 2"],
) -> UInt8[np.ndarray, "*frames h w 3"]:
    """Displacements in pixels, as the stored values."""
    short_side = min(motion.shape[-3:-1])
    levels = STILL + 127 * motion / (FULL_SCALE * short_side)
    pixels = np.full((*motion.shape[:-1], 3), STILL, np.uint8)
    pixels[..., :2] = np.clip(np.round(levels), 1, 255)
    return pixels


def read_flow(
    example: Example,
    times: Float[np.ndarray, "n"],
    crop: SharedCrop,
    folder: str | Path | None = None,
) -> UInt8[np.ndarray, "n h w 2"]:
    """The flow of the frames shown at these times (seconds from the first frame of the file).

    It is read from `example.flow`, a video of flow frames or an .npz file with "flow" [n, h, w, 2]
    in pixels per frame and "timestamps" [n] in seconds; else from `folder`, or beside the video. It
    is cropped and scaled by `crop`; flipping changes the sign of horizontal motion. Errors:
    UnreadableVideo, also if it does not cover these times.
    """
    path = _path(example, folder)
    read = _read_archive if _is_archive(path) else _read_video
    pixels = read(path, times, crop)[..., :2]
    if crop.crop.flipped:
        pixels = pixels.copy()
        pixels[..., 0] = 2 * STILL - np.maximum(pixels[..., 0], 1).astype(np.int16)
    return pixels


def check_flow(example: Example, times: Float[np.ndarray, "n"]) -> None:
    """Opens the flow of an example.

    Errors: those of `read_flow` for these times, and UnreadableVideo if the video has changed since
    the flow was computed.
    """
    path = _path(example)
    if _is_archive(path):
        motion, timestamps = open_archive(path)
        _check_finite(path, motion)
    else:
        timestamps = inspect(path).timestamps
    _frames_at(times, path, timestamps)
    if example.flow is None and notes.is_outdated(path, example.video):
        raise UnreadableVideo(
            f"{path}: the video has changed since its optical flow was computed. "
            "Run `scenic-video data flow` again."
        )


def has_flow(example: Example) -> bool:
    """Whether a file of flow is named, even if it is missing, or is beside the video."""
    beside = isinstance(example.video, str) and flow_path(example.video).exists()
    return beside or example.flow is not None


def _path(example: Example, folder: str | Path | None = None) -> Path:
    if example.flow is not None:
        return Path(example.flow)
    if isinstance(example.video, bytes):
        raise UserError(
            f"{example.id!r} is in TFDS records, which have no optical flow. Train on its files."
        )
    places = [flow_path(example.video, place) for place in dict.fromkeys((folder, None))]
    for path in places:
        if path.exists():
            return path
    raise UnreadableVideo(
        f"{example.video}: no optical flow found at {' or '.join(map(str, places))}. "
        "Compute it with `scenic-video data flow`, or name a file in the manifest's column flow."
    )


def _is_archive(path: Path) -> bool:
    return path.suffix == ARCHIVE_SUFFIX


def _frames_at(
    times: Float[np.ndarray, "n"], path: Path, timestamps: Float[np.ndarray, "frames"]
) -> Int[np.ndarray, "n"]:
    """The indices of the flow frames at these times.

    An interval may be missing at both ends, since the last frame has no next one, and times may be
    between two frames. A video with a wrong start time has frames before time 0.
    """
    interval = float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else LONE_INTERVAL
    begin, end = float(timestamps[0]), float(timestamps[-1]) + interval
    slack = interval + TIMESTAMP_ROUNDING
    if max(times.min(), 0) < begin - slack or times.max() > end + slack:
        raise UnreadableVideo(
            f"{path}: this optical flow covers {begin:.3f} to {end:.3f} s, but frames from "
            f"{times.min():.3f} to {times.max():.3f} s are needed. Its times must be those of the "
            "whole video file, from its first frame: compute it from that file, as "
            "`scenic-video data flow` does, or correct the start and end of the example."
        )
    return frames_on_screen(timestamps, times)


def _read_video(
    path: Path, times: Float[np.ndarray, "n"], crop: SharedCrop
) -> UInt8[np.ndarray, "n h w 3"]:
    with VideoReader(path) as reader:
        return reader.read(_frames_at(times, path, reader.timestamps), RgbConverter(crop))


def _read_archive(
    path: Path, times: Float[np.ndarray, "n"], crop: SharedCrop
) -> UInt8[np.ndarray, "n h w 3"]:
    motion, timestamps = open_archive(path)
    shown = motion[_frames_at(times, path, timestamps)]
    _check_finite(path, shown)
    convert, images = RgbConverter(crop), motion_to_pixels(shown)
    frames = (av.VideoFrame.from_ndarray(image, format="rgb24") for image in images)
    return np.stack([convert(frame).copy() for frame in frames])


def _check_finite(path: Path, motion: Num[np.ndarray, "n h w 2"]) -> None:
    if not np.isfinite(motion).all():
        raise UnreadableVideo(f"{path}: some of its values are not finite.")
