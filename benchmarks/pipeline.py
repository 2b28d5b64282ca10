"""Clips per second that one host loads for training, by threads and worker processes.

    python benchmarks/pipeline.py                          # clips made for the purpose
    python benchmarks/pipeline.py --dataset=/data/k400     # your own

Rows of one table come from one run and are comparable with each other; loads of other programs
shift them all. Each row is the median over `--rounds` rounds, which take the rows in turn.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from rich.console import Console
from rich.table import Table

from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.data.input.batches import train_batches
from scenic_video.data.input.geometry import Geometry
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.input.rows import TrainingRow
from scenic_video.data.sources.datasets import open_dataset


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        dataset = open_dataset(options.dataset) if options.dataset else made_clips(Path(folder))
        preprocessing = Preprocessing(
            num_frames=options.num_frames, stride=options.stride, crop=options.crop
        )
        settings = [(threads, 0) for threads in options.threads]
        settings += [(1, workers) for workers in options.workers]
        speeds = {setting: [] for setting in settings}
        for _, setting in itertools.product(range(options.rounds), settings):
            speeds[setting].append(
                clips_per_second(dataset, preprocessing, options, threads_and_workers=setting)
            )
    Console().print(table({key: statistics.median(values) for key, values in speeds.items()}))


def clips_per_second(
    dataset: Dataset,
    preprocessing: Preprocessing,
    options: argparse.Namespace,
    *,
    threads_and_workers: tuple[int, int],
) -> float:
    """Speed of `num_batches` batches, from the end of the first (workers are up by then)."""
    num_threads, num_workers = threads_and_workers
    split = dataset.splits.get("train") or next(iter(dataset.splits.values()))
    geometry = Geometry(scale_jitter=(0.9, 1.33))
    with train_batches(
        TrainingRow(split, dataset.labels, preprocessing, seed=0, geometry=geometry),
        batch_size=options.batch_size,
        num_threads=num_threads,
        num_workers=num_workers,
    ) as batches:
        # What was loaded ahead during the first batch must not count as speed.
        for _ in range(1 + 2 * max(1, num_workers)):
            next(batches)
        start = time.perf_counter()
        for _ in range(options.num_batches):
            next(batches)
        return options.num_batches * options.batch_size / (time.perf_counter() - start)


def table(speeds: dict[tuple[int, int], float]) -> Table:
    """Speeds, and their ratio to the first row."""
    result = Table(title="Training clips per second")
    for name in ("threads", "workers", "clips/s", "ratio"):
        result.add_column(name, justify="right")
    first = next(iter(speeds.values()))
    for (threads, workers), speed in speeds.items():
        result.add_row(str(threads), str(workers), f"{speed:.1f}", f"{speed / first:.2f}")
    return result


def made_clips(folder: Path, *, num_clips: int = 8, seconds: int = 5) -> Dataset:
    """H.264 at 340x256 and 30 frames a second: moving noise of two scales, a key frame in 250."""
    examples = []
    for number in range(num_clips):
        path = folder / f"{number}.mp4"
        rng = np.random.default_rng(number)
        coarse = rng.integers(0, 200, (16, 20, 3)).repeat(17, axis=0).repeat(17, axis=1)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = 340, 256, "yuv420p"
            for moment in range(30 * seconds):
                image = np.roll(coarse, 3 * moment, axis=1)[:256]
                image = (image + rng.integers(0, 16, image.shape)).astype(np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        examples.append(Example(str(number), str(path), {"label": (0,)}))
    return Dataset("made", {"train": examples}, LabelSpace({"label": ("any",)}), fingerprint="")


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", help="as in a config's dataset.source; default: made clips")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="of one thread each")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--num-batches", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--num-frames", type=int, default=32)
    parser.add_argument("--stride", type=int, default=2)
    parser.add_argument("--crop", type=int, default=224)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
