"""The README's first command, as a user runs it, and what its model learned."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import scenic_video
from scenic_video.runs.parts import build_dataset

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quickstart")
    subprocess.run(
        [
            *(sys.executable, "-m", "scenic_video.cli", "train"),
            "--config=configs/quickstart.py",
            f"--workdir={folder / 'run'}",
            f"--config.dataset.directory={folder / 'clips'}",
        ],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": ""},
        check=True,
        timeout=1200,
    )
    return folder / "run"


@pytest.mark.slow
def test_it_recognises_nine_of_ten_clips_it_never_saw(workdir):
    result = json.loads((workdir / "eval" / "test_4x3.json").read_text())
    assert result["metrics"]["top1"] >= 0.9
    assert result["num_examples"] == 200 and result["num_unreadable"] == 0


@pytest.mark.slow
def test_the_label_needs_time(workdir):
    """With every frame replaced by the middle one, accuracy drops to near chance (10 %)."""
    model = scenic_video.load(workdir)
    dataset = build_dataset(model.meta["config"]["dataset"])
    examples = dataset.splits["test"]
    clips = np.stack([model.preprocessing.eval_inputs(example)["rgb"] for example in examples])
    labels = np.array([example.labels["action"][0] for example in examples])
    middle = clips.shape[2] // 2
    still = np.repeat(clips[:, :, middle : middle + 1], clips.shape[2], axis=2)

    def accuracy(rgb):
        batch = {
            "inputs": {"rgb": rgb},
            "label": {"action": labels.astype(np.int32)},
            "mask": np.ones(len(labels), np.float32),
        }
        return (model.apply(batch)["action"].argmax(axis=-1) == labels).mean()

    moving, frozen = accuracy(clips), accuracy(still)
    print(f"top-1 with moving clips {moving:.3f}, with one frame {frozen:.3f}")
    assert moving >= 0.9
    assert frozen <= 0.2


@pytest.mark.slow
def test_the_report_stands_alone(workdir):
    page = (workdir / "report.html").read_text()
    assert "move_left" in page and "confusion" in page.lower()
    assert not re.search(r"(src|href)=[\"']https?://", page)
