import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scenic_video.data.examples import Dataset, Example
from scenic_video.data.input.preprocessing import Preprocessing


@pytest.fixture(scope="session")
def encoded(tmp_path_factory, moving_frames, write_video) -> dict[str, str]:
    """Suffix -> a real video in that container: 20 frames of 32x48, 2 seconds."""
    folder = tmp_path_factory.mktemp("encoded")
    codecs = {".mp4": "libx264", ".webm": "libvpx", ".mkv": "libx264"}
    frames = moving_frames(20, 32, 48)
    return {
        suffix: write_video(folder / f"video{suffix}", frames, fps=10, codec=codec)
        for suffix, codec in codecs.items()
    }


@pytest.fixture
def put(tmp_path, encoded) -> Callable[..., str]:
    """Writes real videos at paths below a folder of the test, and returns the folder."""

    def put_videos(*paths: str) -> str:
        root = tmp_path / "videos"
        for path in paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(encoded[Path(path).suffix.lower()], root / path)
        return str(root)

    return put_videos


@pytest.fixture
def write(tmp_path) -> Callable[[str, str], str]:
    """Writes an annotation file and returns its path."""

    def write_text(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write_text


@pytest.fixture(scope="session")
def described() -> Callable[..., list[tuple]]:
    return _described


def _described(dataset: Dataset, split: str) -> list[tuple]:
    """(id, path below the videos' folder, labels by name) of every example, each decoded."""
    return [_description(example, dataset) for example in dataset.splits[split]]


def _description(example: Example, dataset: Dataset) -> tuple:
    inputs = Preprocessing(num_frames=2, resize=32, crop=32).eval_inputs(example)
    assert inputs["rgb"].shape == (1, 2, 32, 32, 3) and inputs["rgb"].std() > 10
    assert isinstance(example.video, str)
    names = {
        head: tuple(dataset.labels.classes[head][index] for index in ids)
        for head, ids in example.labels.items()
    }
    return example.id, example.video.partition("/videos/")[2], names
