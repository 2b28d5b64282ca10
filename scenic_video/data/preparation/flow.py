"""Computes the optical flow of videos and stores it beside them.

It uses OpenCV's DIS (Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016), the
fastest method for its accuracy that runs on any CPU. Farneback's, also in OpenCV, takes longer and
blurs motion boundaries.
"""

import functools
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import Float32, UInt8

from scenic_video.atomic_files import replacing, require_writable
from scenic_video.config import ConfigError
from scenic_video.data.decoding import sampling
from scenic_video.data.decoding.containers import UnreadableVideo
from scenic_video.data.decoding.conversion import RgbConverter
from scenic_video.data.decoding.video_reader import VideoReader
from scenic_video.data.examples import Dataset
from scenic_video.data.flow import notes
from scenic_video.data.flow.reading import flow_path, motion_to_pixels
from scenic_video.data.preparation.jobs import Job, Result, work
from scenic_video.data.preparation.transcoding import encode, stored_size
from scenic_video.data.provenance.content import content_of
from scenic_video.data.provenance.notes import Note, differences
from scenic_video.errors import UserError

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
SHORTEST_SIDE = 12
"""Pixels; DIS does not run on smaller frames."""
REMEDY = (
    "Choose another folder with --out=FOLDER, and train with "
    "--config.preprocessing.flow.folder=FOLDER."
)
# No chroma subsampling (444): the channels are data.
CODEC = {"preset": "veryfast", "g": "16", "crf": "12", "x264-params": "mbtree=0"}


def write_flow(
    source: str,
    destination: str | Path,
    *,
    short_side: int = 256,
    preset: str = "medium",
    overwrite: bool = False,
) -> bool:
    """Writes the flow of a whole video at a shorter side of `short_side` pixels.

    There is one flow frame per frame; the last repeats the motion of the one before. `preset` is
    "ultrafast", "fast" or "medium", from fast to accurate.

    If the file was already computed from this video, it is kept and False is returned; if the video
    has changed since, it is computed again. A file with other settings or of unknown origin is an
    error, or is replaced with `overwrite`. Errors: UnreadableVideo; UserError.
    """
    _check_size(short_side)
    destination, settings = Path(destination), {"short_side": short_side, "preset": preset}
    if destination.exists() and _is_kept(destination, source, settings, overwrite=overwrite):
        return False
    with VideoReader(source) as reader:
        metadata = notes.metadata(Note(settings, content_of(source)))
        try:
            with replacing(destination) as scratch:
                frames = _flow_frames(reader, **settings)
                encode(scratch, reader, frames, iter(()), CODEC, metadata)
        except FFmpegError as error:
            raise UnreadableVideo(f"{source}: its flow cannot be encoded: {error}.") from error
    return True


def _check_size(short_side: int) -> None:
    if short_side < SHORTEST_SIDE:
        raise ConfigError(
            f"short_side={short_side}: optical flow needs at least {SHORTEST_SIDE} pixels. "
            "Use the value of preprocessing.resize, such as 256."
        )


def _is_kept(path: Path, source: str, settings: dict[str, Any], *, overwrite: bool) -> bool:
    """Whether the existing file can be kept. Errors: UserError, see `write_flow`."""
    found, wanted = notes.read_note(path), Note(settings, content_of(source))
    if overwrite:
        return found == wanted
    if found is None:
        raise UserError(
            f"{path} does not state how it was computed. To use it unchanged, name it in the "
            "manifest's column flow; to replace it, delete it or use --overwrite."
        )
    if others := differences(found.settings, settings):
        raise UserError(
            f"{path} was computed with other settings: {others}. Use those, or run with "
            "--overwrite."
        )
    return found == wanted


def write_flow_of(
    dataset: Dataset,
    *,
    folder: str | Path | None = None,
    num_workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> list[Result]:
    """Writes the flow of every video of a dataset, beside the video or in `folder`.

    `options` are those of `write_flow`. Examples that name a flow file are skipped, and these files
    are not changed. Errors: UserError for records, ConfigError for too small a size or a folder
    that cannot be written to.
    """
    _require_opencv()
    _check_size(options.get("short_side", SHORTEST_SIDE))
    jobs = _jobs(dataset, folder)
    if jobs:
        require_writable(Path(jobs[0].destination).parent, REMEDY)
    results = []
    for result in work(functools.partial(_run, options), jobs, num_workers=num_workers):
        results.append(result)
        if progress is not None:
            progress(len(results), len(jobs))
    return results


def _jobs(dataset: Dataset, folder: str | Path | None) -> Sequence[Job]:
    videos: dict[str, None] = {}
    named: set[str] = set()
    for example in itertools.chain(*dataset.splits.values()):
        if isinstance(example.video, bytes):
            raise UserError(
                f"{dataset.name!r} is in TFDS records. Compute the flow of the original files."
            )
        if example.flow is None:
            videos[example.video] = None
        else:
            named.add(os.path.realpath(example.flow))
    jobs = [Job(video, str(flow_path(video, folder))) for video in videos]
    return [job for job in jobs if os.path.realpath(job.destination) not in named]


def _run(options: dict[str, Any], job: Job) -> bool:
    Path(job.destination).parent.mkdir(parents=True, exist_ok=True)
    return write_flow(job.source, job.destination, **options)


def _flow_frames(reader: VideoReader, *, short_side: int, preset: str) -> Iterator[av.VideoFrame]:
    """A flow frame for every frame, from the first to the last time of the reader."""
    listed = round(reader.first_time / reader.time_base)
    first, last = (round(time / float(reader.time_base)) for time in reader.timestamps[[0, -1]])
    start = listed - max(first, 0)  # time 0
    end = listed + last - first
    tick, pixels = start, None
    for tick, motion in _motions(reader, short_side=short_side, preset=preset):
        if pixels is None and tick > start:  # earlier frames cannot be decoded
            yield _flow_frame(motion_to_pixels(motion), 0, reader)
        pixels = motion_to_pixels(motion)
        yield _flow_frame(pixels, tick - start, reader)
    if pixels is None:
        raise UnreadableVideo(f"{reader.name}: none of its frames can be decoded.")
    if tick < end:
        yield _flow_frame(pixels, end - start, reader)


def _flow_frame(
    pixels: UInt8[np.ndarray, "h w 3"], tick: int, reader: VideoReader
) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv444p")
    frame.pts, frame.time_base = tick, reader.time_base
    return frame


def _motions(
    reader: VideoReader, *, short_side: int, preset: str
) -> Iterator[tuple[int, Float32[np.ndarray, "h w 2"]]]:
    """The time of each frame in ticks, and its motion to the next frame in pixels."""
    cv2 = _require_opencv()
    estimator = cv2.DISOpticalFlow_create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{preset.upper()}"))
    frames = _grey(reader, short_side)
    (tick, now), motion = next(frames, (0, None)), None
    while now is not None:
        later, following = next(frames, (0, None))
        if following is not None:
            try:
                motion = estimator.calc(now, following, None)
            except cv2.error as error:
                size = f"{now.shape[1]}x{now.shape[0]}"
                raise UnreadableVideo(
                    f"{reader.name}: OpenCV cannot compute flow for {size} pixels: {error.err}."
                ) from error
        elif motion is None:
            motion = np.zeros((*now.shape, 2), np.float32)
        yield tick, motion
        tick, now = later, following


def _grey(reader: VideoReader, short_side: int) -> Iterator[tuple[int, UInt8[np.ndarray, "h w"]]]:
    """The times of the frames in ticks, and their luma."""

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
            "Computing optical flow needs OpenCV, which is not installed: pip install -e '.[flow]'"
        ) from error
    return cv2
