"""What a clip costs to read, against the usual way: seek, decode, scale whole frames, crop.

    python benchmarks/decode.py                   # files made for the purpose, in a minute or two
    python benchmarks/decode.py --keep=/tmp/clips # the same, kept for the next time

CPU time of one core, the least of `--rounds`; the ways take turns, so compare ratios, not runs.
"""

import argparse
import contextlib
import dataclasses
import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from rich.console import Console
from rich.table import Table

from scenic_video.data.decoding import sampling
from scenic_video.data.decoding.conversion import RgbConverter
from scenic_video.data.decoding.video_reader import VideoReader
from scenic_video.data.examples import Example
from scenic_video.data.input.geometry import Geometry
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.preparation.transcoding import transcode

SECONDS = 10
RATE = 30
CLIPS = 6
PREPROCESSING = Preprocessing(num_frames=32, stride=2, resize=256, crop=224)


@dataclasses.dataclass(frozen=True)
class File:
    """A video of the benchmark; `source` names the one it is transcoded from, if any."""

    name: str
    width: int = 0
    height: int = 0
    gop: int = 0
    bit_rate: int = 0
    source: str = ""


FILES = (
    File("340x256, GOP 12", 340, 256, 12, 500_000),
    File("340x256, GOP 250", 340, 256, 250, 500_000),
    File("1280x720, GOP 250", 1280, 720, 250, 2_600_000),
    File("transcoded from 720p", source="1280x720, GOP 250"),
)


def main() -> None:
    options = _options()
    with _folder(options.keep) as folder:
        paths = {file.name: make(file, folder) for file in FILES}
        table = Table(title="32 frames, stride 2, 224x224: CPU ms a clip, one core")
        for column in ("file", "KiB", "usual", "ours", "ratio", "clips/s", "4x3 each", "4x3 once"):
            table.add_column(column, justify="left" if column == "file" else "right")
        table.add_column("ratio", justify="right")
        for name, path in paths.items():
            table.add_row(name, *row(path, rounds=options.rounds))
    Console(width=110).print(table)


def row(path: str, *, rounds: int) -> Iterator[str]:
    example = Example(path, path, {})
    ways = [
        functools.partial(usual_clips, path),
        functools.partial(our_clips, example),
        functools.partial(views_one_by_one, path),
        functools.partial(PREPROCESSING.eval_inputs, example, num_clips=4, num_crops=3),
    ]
    usual, ours, each, once = least_cpu_ms(ways, rounds=rounds)
    usual, ours = usual / CLIPS, ours / CLIPS
    yield f"{Path(path).stat().st_size / 1024:.0f}"
    yield from (f"{usual:.1f}", f"{ours:.1f}", f"{ours / usual:.2f}", f"{1000 / ours:.0f}")
    yield from (f"{each:.0f}", f"{once:.0f}", f"{once / each:.2f}")


def least_cpu_ms(ways: list[Callable[[], object]], *, rounds: int) -> list[float]:
    costs = [float("inf")] * len(ways)
    for _ in range(rounds):
        for number, way in enumerate(ways):
            begin = time.process_time()
            way()
            costs[number] = min(costs[number], 1000 * (time.process_time() - begin))
    return costs


def our_clips(example: Example) -> None:
    for seed in range(CLIPS):
        rng = np.random.default_rng(seed)
        PREPROCESSING.train_inputs(example, rng, Geometry())["rgb"]


def usual_clips(path: str) -> None:
    """The clips of `our_clips`, read as most programs do."""
    num_frames, stride = PREPROCESSING.num_frames, PREPROCESSING.stride
    for seed in range(CLIPS):
        rng = np.random.default_rng(seed)
        first = sampling.random_offset(rng, SECONDS * RATE, num_frames=num_frames, stride=stride)
        usual_clip(path, [first + stride * index for index in range(num_frames)], rng)


def usual_clip(path: str, numbers: list[int], rng: np.random.Generator) -> np.ndarray:
    with av.open(path, "r") as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        ticks = Fraction(1, RATE) / (stream.time_base or 1)
        wanted = [round(number * ticks) for number in numbers]
        container.seek(wanted[0], stream=stream)
        height, width = sampling.resized_size(
            stream.height, stream.width, resize=256, crop=(224, 224)
        )
        frames = []
        for frame in container.decode(stream):
            if frame.pts == wanted[len(frames)]:
                frame = frame.reformat(width, height, "rgb24", interpolation="BILINEAR")
                frames.append(frame.to_ndarray())
                if len(frames) == len(wanted):
                    break
    top, left = (int(rng.integers(side - 224 + 1)) for side in (height, width))
    return np.stack(frames)[:, top : top + 224, left : left + 224]


def views_one_by_one(path: str) -> None:
    """4 clips x 3 crops with our reader, but a decode for every view."""
    size = PREPROCESSING.crop_size
    whole = functools.partial(sampling.whole_frame, resize=PREPROCESSING.resize, crop=size)
    for start in (0, 78, 157, 236):
        for crop in range(3):
            with VideoReader(path) as reader:
                frames = reader.read(range(start, start + 64, 2), RgbConverter(whole))
            corners = sampling.view_corners(*frames.shape[1:3], crop=size, num_crops=3)
            top, left = corners[crop]
            frames[:, top : top + size[0], left : left + size[1]].copy()


def make(file: File, folder: Path) -> str:
    """Writes the file unless it is there; its content is detailed, moves and is noisy."""
    path = folder / f"{file.name.replace(' ', '_')}.mp4"
    if not path.exists():
        if file.source:
            transcode(folder / f"{file.source.replace(' ', '_')}.mp4", path)
        else:
            _encode(file, path)
    return str(path)


def _encode(file: File, path: Path) -> None:
    scene = (
        f"mandelbrot=size={file.width}x{file.height}:rate={RATE}:end_scale=0.02:maxiter=500,"
        "noise=alls=6:allf=t,format=yuv420p"
    )
    with av.open(scene, "r", format="lavfi") as source, av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"g": str(file.gop)})
        stream.width, stream.height, stream.pix_fmt = file.width, file.height, "yuv420p"
        stream.bit_rate = file.bit_rate
        for number, frame in enumerate(source.decode(video=0)):
            if number == SECONDS * RATE:
                break
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, RATE), 0
            output.mux(stream.encode(frame))
        output.mux(stream.encode())


@contextlib.contextmanager
def _folder(keep: str | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3, help="of which the cheapest counts")
    parser.add_argument("--keep", help="folder for the files, made if need be")
    return parser.parse_args()


if __name__ == "__main__":
    main()
