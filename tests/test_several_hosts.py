"""Two processes with half of the devices each do what one process does."""

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scenic_video.data import synthetic
from tests.helpers.runs import without_audio

CALM = {"TF_CPP_MIN_LOG_LEVEL": "3"}
"""Without XLA's complaints of a slow compilation, which a busy machine brings about."""
ROOT = Path(__file__).parents[1]

CONFIG = """
from ml_collections import ConfigDict

def get_config():
    return ConfigDict(dict(
        dataset={data!r},
        preprocessing=dict(num_frames=4, resize=18, crop=16, {preprocessing}),
        augmentation=dict(
            geometry=dict(scale_jitter=(0.9, 1.33), flip=False),
            rgb=[dict(target="scenic_video.transforms.color_jitter:color_jitter", probability=0.5)],
            mixing=dict(mixup_alpha=0.3, {mixing}),
        ),
        input=dict(batch_size=8),
        model=dict(hidden_size=16, mlp_dim=16, num_heads=2, tubelet_size=(2, 8, 8),
                   stochastic_depth_rate=0.1, {model}),
        task=dict({task}),
        learning_rate=dict(target="scenic_video.optimizers:constant", peak=0.05),
        optimizer=dict(target="scenic_video.optimizers:sgd"),
        mesh=dict(data=-1, fsdp=2),
        trainer=dict(num_steps=6, log_every=1, eval_every=3),
        evaluation=dict(split="test", views="2x1", batch_size=8),
    ))
"""
VIDEO = dict(
    preprocessing="",
    model="""target="projects.vivit.model:FactorisedEncoder", num_layers=1,
                   temporal_num_layers=1""",
    mixing="",
    task="",
)
AUDIOVISUAL = dict(
    preprocessing="""modalities=("rgb", "audio"),
                           audio=dict(seconds=0.32, num_mel_bins=32, mean=0.0, std=1.0)""",
    model="""target="projects.avmae.model:MBT", num_layers=2, fusion_layer=1""",
    mixing="mixmod=True",
    task="modality_dropout=dict(rgb=0.2, audio=0.2)",
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Manifests of 24 clips, of which every third has no audio."""
    folder = tmp_path_factory.mktemp("videos")
    clips = synthetic.synthesize(folder / "clips", num_clips=24, size=32, seconds=0.7)
    for split in ("train", "test"):
        with open(clips / f"{split}.csv") as read, open(folder / f"{split}.csv", "w") as written:
            writer = csv.writer(written)
            writer.writerow(("path", "action"))
            for index, row in enumerate(csv.DictReader(read)):
                path = clips / row["path"]
                if index % 3 == 0:
                    path = without_audio(path, folder / f"{split}_{index}.mp4")
                writer.writerow((path, row["action"]))
    return folder


def run(config, workdir, *, num_processes, num_devices):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "scenic_video.cli", "train", f"--config={config}"]
    flags = f"--xla_force_host_platform_device_count={num_devices // num_processes}"
    processes = []
    for index in range(num_processes):
        together = [
            f"--coordinator=127.0.0.1:{port}",
            f"--num-processes={num_processes}",
            f"--process-id={index}",
        ]
        processes.append(
            subprocess.Popen(
                [*command, f"--workdir={workdir}", *(together if num_processes > 1 else [])],
                cwd=ROOT,
                env={**os.environ, **CALM, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    outputs = [process.communicate(timeout=400)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * num_processes, outputs
    return outputs


def rows(workdir, name):
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [row[name] for row in lines if name in row]


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [VIDEO, AUDIOVISUAL], ids=["video", "audiovisual"])
def test_two_hosts_train_and_evaluate_as_one(nodes, videos, tmp_path):
    config = tmp_path / "config.py"
    config.write_text(CONFIG.format(data=str(videos), **nodes))
    run(config, tmp_path / "one", num_processes=1, num_devices=4)
    first, second = run(config, tmp_path / "two", num_processes=2, num_devices=4)
    for name in ("train/loss", "test/loss"):
        expected = rows(tmp_path / "one", name)
        assert rows(tmp_path / "two", name) == pytest.approx(expected, rel=1e-5)
    one, two = (
        json.loads((tmp_path / run / "eval" / "test_2x1.json").read_text())
        for run in ("one", "two")
    )
    assert two["metrics"] == pytest.approx(one["metrics"], rel=1e-4)
    assert two["num_examples"] == 5 and two.get("num_without_audio") == one.get("num_without_audio")
    assert "2 process(es)" in first
    assert [line for line in second.splitlines() if not line.startswith("[Gloo]")] == []
