"""Optical flow beside a video: where it lies, how it is stored, and how it is read.

Motion is stored as pictures: red is the displacement to the right, green that downwards, from
this frame to the next, and 128 is none. `FULL_SCALE` of the shorter side a frame is as much as
they can hold, so the numbers do not depend on the size of the picture.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float, UInt8

from scenic_video.data.containers import UnreadableVideo
from scenic_video.data.conversion import RgbConverter, SharedCrop
from scenic_video.data.decoding import VideoReader
from scenic_video.data.examples import Example
from scenic_video.data.sampling import frames_on_screen

FULL_SCALE = 20 / 256
STILL = 128
SUFFIX = ".flow.mp4"


def flow_path(video: str | Path) -> Path:
    """Where `scenic-video data flow` keeps the flow of a video: beside it."""
    return Path(f"{video}{SUFFIX}")


def motion_to_pixels(
    motion: Float[np.ndarray, "*frames h w 2"],
) -> UInt8[np.ndarray, "*frames h w 3"]:
    """Displacements in pixels of these pictures, as what is stored."""
    short_side = min(motion.shape[-3:-1])
    levels = STILL + 127 * motion / (FULL_SCALE * short_side)
    pixels = np.full((*motion.shape[:-1], 3), STILL, np.uint8)
    pixels[..., :2] = np.clip(np.round(levels), 1, 255)
    return pixels


def read_flow(
    example: Example, times: Float[np.ndarray, "n"], crop: SharedCrop
) -> UInt8[np.ndarray, "n h w 2"]:
    """The motion of the frames that are shown at these times (seconds from the file's first).

    It lies where `example.flow` says, a video of such pictures or an .npz file with "flow" [n, h,
    w, 2] in pixels a frame and "timestamps" [n] in seconds; else beside the video. It is cut and
    scaled as `crop` says; mirrored motion goes the other way.
    Errors: UnreadableVideo.
    """
    path = _path(example)
    read = _read_archive if path.suffix == ".npz" else _read_video
    pixels = read(path, times, crop)[..., :2]
    if crop.crop.mirrored:
        pixels = pixels.copy()
        pixels[..., 0] = 2 * STILL - np.maximum(pixels[..., 0], 1).astype(np.int16)
    return pixels


def _path(example: Example) -> Path:
    if example.flow is not None:
        return Path(example.flow)
    if isinstance(example.video, bytes):
        raise ValueError(
            f"{example.id!r} lies in records, which hold no optical flow. Train on its files."
        )
    path = flow_path(example.video)
    if not path.exists():
        raise UnreadableVideo(
            f"{example.video}: there is no optical flow at {path}. `scenic-video data flow` "
            "computes it; or name a file in the manifest's column flow."
        )
    return path


def _read_video(
    path: Path, times: Float[np.ndarray, "n"], crop: SharedCrop
) -> UInt8[np.ndarray, "n h w 3"]:
    with VideoReader(path) as reader:
        return reader.read(frames_on_screen(reader.timestamps, times), RgbConverter(crop))


def _read_archive(
    path: Path, times: Float[np.ndarray, "n"], crop: SharedCrop
) -> UInt8[np.ndarray, "n h w 3"]:
    motion, timestamps = _open_archive(path)
    shown = motion[frames_on_screen(timestamps, times)]
    if not np.isfinite(shown).all():
        raise UnreadableVideo(f"{path}: some of its motion is not finite.")
    convert, pictures = RgbConverter(crop), motion_to_pixels(shown)
    frames = (av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in pictures)
    return np.stack([convert(frame).copy() for frame in frames])


def _open_archive(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The motion [n, h, w, 2] and its times [n]."""
    try:
        with np.load(path) as archive:
            arrays: Mapping[str, np.ndarray] = dict(archive)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UnreadableVideo(f"{path}: {error}") from error
    motion, timestamps = arrays.get("flow"), arrays.get("timestamps")
    if motion is None or motion.ndim != 4 or motion.shape[-1] != 2 or not len(motion):
        found = {name: array.shape for name, array in arrays.items()}
        raise UnreadableVideo(f"{path}: wanted 'flow' [n, h, w, 2] in pixels; it has {found}.")
    if timestamps is None or timestamps.shape != motion.shape[:1]:
        raise UnreadableVideo(
            f"{path}: wanted 'timestamps' [{len(motion)}], the seconds at which each is shown."
        )
    return motion, timestamps.astype(np.float64)
