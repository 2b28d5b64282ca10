"""Small real clips that tests of several packages read."""

from collections.abc import Callable, Sequence
from fractions import Fraction

import av
import numpy as np
import pytest

from scenic_video.data.examples import Example

NUM_CLIPS = 7


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> list[Example]:
    """Seven different mp4 files of 14 frames, 40x32; clip i has the class i."""
    folder = tmp_path_factory.mktemp("clips")
    examples = []
    for number in range(NUM_CLIPS):
        path = folder / f"clip_{number}.mp4"
        _write(path, np.random.default_rng(number))
        examples.append(Example(f"clip_{number}", str(path), {"label": (number,)}))
    return examples


def _write(path, rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (8, 10, 3), np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "5", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 40, 32, "yuv420p"
        for time in range(14):
            frame = av.VideoFrame.from_ndarray(np.roll(image, 3 * time, axis=1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture(scope="session")
def moving_frames() -> Callable[..., np.ndarray]:
    return _moving_frames


@pytest.fixture(scope="session")
def write_video() -> Callable[..., str]:
    return _write_video


def _moving_frames(count: int, height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    """uint8 [count, height, width, 3]: a drifting texture under noise, so that all codecs work."""
    rng = np.random.default_rng(seed)
    tiles = rng.integers(0, 200, (height // 8 + 1, width // 8 + 1, 3)).repeat(8, 0).repeat(8, 1)
    frames = [np.roll(tiles, (2 * i, 3 * i), (0, 1))[:height, :width] for i in range(count)]
    return (np.stack(frames) + rng.integers(0, 50, (count, height, width, 3))).astype(np.uint8)


def _write_video(
    path,
    frames: np.ndarray,
    *,
    fps: int = 25,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    ticks: Sequence[int] | None = None,
    rotation: int = 0,
    matrix: Sequence[int] | None = None,
    audio: np.ndarray | None = None,
    faststart: bool = True,
) -> str:
    """Writes `frames` to `path`, whose suffix names the container, and returns it as a string.

    Frame i is shown at ticks[i] / fps seconds (default: i / fps). `rotation` is the
    clockwise rotation by players in degrees, `matrix` the nine numbers of a display matrix. `audio`
    is mono at 16 kHz.
    """
    mp4 = {"movflags": "+faststart"} if faststart and str(path).endswith(".mp4") else {}
    with av.open(str(path), "w", options=mp4) as container:
        threads = {"threads": "1"} if codec != "libsvtav1" else {}
        stream = container.add_stream(codec, rate=fps, options=threads | (options or {}))
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixel_format
        if rotation:
            stream.set_display_rotation(-rotation)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        audio_stream = (
            container.add_stream("aac", rate=16000, layout="mono") if audio is not None else None
        )
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixel_format)
            frame.pts = index if ticks is None else ticks[index]
            frame.time_base = Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if audio is not None and audio_stream is not None:
            samples = av.AudioFrame.from_ndarray(
                audio[None].astype(np.float32), format="fltp", layout="mono"
            )
            samples.sample_rate, samples.pts = 16000, 0
            container.mux(audio_stream.encode(samples))
            container.mux(audio_stream.encode())
    return str(path)
