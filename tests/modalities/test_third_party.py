"""A modality of another package: one file and a config, from the data check to evaluation."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from scenic_video.cli import main
from scenic_video.config import build
from scenic_video.data import synthetic
from scenic_video.data.preparation.checking import check
from tests.helpers.runs import CONFIG

DEPTH = '''
import dataclasses
from pathlib import Path

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from scenic_video.data.decoding.conversion import RgbConverter
from scenic_video.data.decoding.sampling import frames_on_screen
from scenic_video.data.decoding.video_info import inspect
from scenic_video.data.decoding.video_reader import VideoReader
from scenic_video.modalities.modality import Modality


@dataclasses.dataclass(frozen=True)
class Depth(Modality):
    """Depth in a gray video beside each video; some have none."""

    suffix: str = ".depth"
    farthest: float = 10.0

    can_be_absent = True
    absence = "there is no file of its depth"

    def read(self, window):
        path = Path(window.example.video + self.suffix)
        frames = np.zeros((len(window.frames), *window.crop_size, 1), np.uint8)
        if path.exists():
            with VideoReader(path) as reader:
                shown = frames_on_screen(reader.timestamps, window.times)
                frames = reader.read(shown, RgbConverter(window.crop))[..., :1]
        views = window.views_of_frames(frames)
        return {"depth": views, "has_depth": np.full(len(views), path.exists(), np.float32)}

    def blank(self, clip_shape, *leading):
        depth = np.zeros((*leading, *clip_shape, 1), np.uint8)
        return {"depth": depth, "has_depth": np.zeros(leading, np.float32)}

    def input_size(self, clip_shape):
        return clip_shape

    def is_stored(self, example):
        return Path(example.video + self.suffix).exists()

    def check(self, example, info):
        inspect(example.video + self.suffix)

    def on_device(self, arrays, augment):
        return augment(jnp.asarray(arrays["depth"], jnp.float32) / 255 * self.farthest)

    def present(self, arrays):
        return arrays["has_depth"]

    def to_rgb(self, arrays):
        return np.repeat(arrays["depth"], 3, axis=-1)


def inverted(depth, rng):
    return 10.0 - depth


class Net(nn.Module):
    num_classes: int

    @nn.compact
    def __call__(self, *, rgb, depth, presence=None, train):
        if presence is not None:
            rgb = rgb * presence["rgb"].reshape(-1, 1, 1, 1, 1)
            depth = depth * presence["depth"].reshape(-1, 1, 1, 1, 1)
        assert rgb.shape[:-1] == depth.shape[:-1]
        means = [x.mean(axis=(1, 2, 3)) for x in (rgb, depth)]
        return nn.Dense(self.num_classes)(jnp.concatenate(means, axis=-1))
'''
OWN = CONFIG.replace(
    "resize=18, crop=16",
    'resize=18, crop=16, modalities=("rgb", "depth"),\n'
    '                           depth=dict(target="my_depth:Depth", farthest=5.0)',
).replace(
    """target="projects.vivit.model:FactorisedEncoder", hidden_size=16, mlp_dim=16,
                   num_layers=1, num_heads=2, temporal_num_layers=1, tubelet_size=(2, 8, 8)""",
    'target="my_depth:Net"',
)
INVERTED = "augmentation.depth=[{'target': 'my_depth:inverted'}]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clips, all but one of the test split with depth beside them, and a config."""
    folder = tmp_path_factory.mktemp("depth")
    (folder / "my_depth.py").write_text(DEPTH)
    clips = folder / "clips"
    synthetic.dataset(directory=str(clips), num_clips=20, size=32, seconds=0.7)
    for video in clips.rglob("*.mp4"):
        shutil.copy(video, f"{video}.depth")
    next(iter(sorted((clips / "test").rglob("*.depth")))).unlink()
    (folder / "config.py").write_text(OWN.format(data=str(clips)))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder
    sys.modules.pop("my_depth", None)


@pytest.fixture(scope="module")
def workdir(folder) -> Path:
    config, workdir = f"--config={folder / 'config.py'}", folder / "run"
    assert main(["train", config, f"--workdir={workdir}", f"--config.{INVERTED}"]) == 0
    return workdir


def test_it_is_trained_on_and_evaluated(workdir):
    found = json.loads((workdir / "eval" / "test_2x3.json").read_text())
    assert found["num_without_depth"] == 1 and found["num_unreadable"] == 0
    assert (workdir / "report.html").exists()


def test_the_table_of_modalities_includes_it(workdir, capsys):
    flags = [f"--workdir={workdir}", "--modalities=all", "--views=1x1"]
    assert main(["eval", *flags]) == 2
    assert "names the target 'my_depth:" in " ".join(capsys.readouterr().err.split())
    assert main(["eval", *flags, "--trust"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 without depth" in said
    assert "An example without depth counts in DV with its other modalities and is left out" in said
    path = workdir / "eval" / "test_1x1_modalities.json"
    assert set(json.loads(path.read_text())["metrics"]) == {"D", "V", "DV"}


def test_its_files_are_checked(folder, capsys):
    depth = build({"target": "my_depth:Depth"})
    dataset = synthetic.dataset(directory=str(folder / "clips"), num_clips=20, size=32, seconds=0.7)
    report = check(dataset, num_workers=2, modalities={"depth": depth})
    (finding,) = report.without_usable["depth"]
    assert finding.split == "test" and finding.what == "it has none, but others do"
    check_command = ["data", "check", str(folder / "clips")]
    assert main([*check_command, "--modality=depth=my_depth:Depth"]) == 0
    assert "no usable depth" in " ".join(capsys.readouterr().out.split())
    assert main([*check_command, "--modality=depth"]) == 2
    assert "must be NAME=TARGET" in " ".join(capsys.readouterr().err.split())


def test_a_resumed_run_must_have_the_same_fields_of_it(folder, workdir, capsys):
    config = f"--config={folder / 'config.py'}"
    flags = [
        f"--workdir={workdir}",
        f"--config.{INVERTED}",
        "--config.preprocessing.depth.farthest=6",
    ]
    assert main(["train", config, *flags]) == 2
    assert "preprocessing.depth.farthest: 5.0 -> 6.0" in " ".join(capsys.readouterr().err.split())
