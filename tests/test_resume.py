"""A run that is killed and started again by the same command equals one that was left alone."""

import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

CONFIG = """
from ml_collections import ConfigDict

def get_config():
    return ConfigDict(dict(
        seed=3,
        dataset=dict(target="scenic_video.data.synthetic:dataset", directory={data!r},
                     num_clips=20, size=32, seconds=0.7),
        preprocessing=dict(num_frames=4, resize=18, crop=16),
        augmentation=dict(
            geometry=dict(scale_jitter=(0.9, 1.33)),
            rgb=[dict(target="scenic_video.transforms.color_jitter:color_jitter", probability=0.5)],
            mixing=dict(mixup_alpha=0.3),
        ),
        input=dict(batch_size=4),
        model=dict(target="projects.vivit.model:SpatioTemporalAttention", hidden_size=16,
                   mlp_dim=16, num_layers=1, num_heads=2, tubelet_size=(2, 8, 8),
                   dropout_rate=0.1, stochastic_depth_rate=0.1),
        task=dict(label_smoothing=0.1),
        learning_rate=dict(target="scenic_video.optimizers:warmup_cosine", peak=1e-3,
                           warmup_steps=5),
        optimizer=dict(target="scenic_video.optimizers:adamw", weight_decay=0.01),
        trainer=dict(num_steps=40, log_every=1, eval_every=20, checkpoint_every=5,
                     ema_decay=0.9),
        evaluation=dict(split="test", views="1x1", batch_size=4),
    ))
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    path = folder / "config.py"
    path.write_text(CONFIG.format(data=str(folder / "clips")))
    return path


def start(config, workdir, *overrides, **environment):
    """The command line in a process of its own, on one device."""
    command = [sys.executable, "-m", "scenic_video.cli", "train", f"--config={config}"]
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=1"
    return subprocess.Popen(
        [*command, f"--workdir={workdir}", *overrides],
        cwd=ROOT,
        env={**os.environ, **environment, "XLA_FLAGS": flags},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process):
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


def losses(workdir):
    rows = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return {row["step"]: row["train/loss"] for row in rows if "train/loss" in row}


def wait_for_step(process, workdir, step):
    """Waits until metrics.jsonl has the row of `step`, or fails with what the process said."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        try:
            if max(losses(workdir), default=0) >= step:
                return
        except (FileNotFoundError, json.JSONDecodeError):
            pass
        time.sleep(0.01)
    raise AssertionError(f"step {step} was not reached")


@pytest.fixture(scope="module")
def straight(config):
    workdir = config.parent / "straight"
    code, output = finish(start(config, workdir))
    assert code == 0, output
    return workdir


@pytest.fixture(scope="module")
def restart(config, tmp_path_factory):
    """`start` for runs that are stopped: compiled once for all of them, apart from `straight`."""
    programs = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("programs")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    return functools.partial(start, config, **programs)


def test_a_run_killed_again_and_again_continues_bit_for_bit(restart, straight, tmp_path):
    workdir = tmp_path / "killed"
    for step in (8, 26):
        process = restart(workdir)
        wait_for_step(process, workdir, step)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    code, output = finish(restart(workdir))
    assert code == 0, output
    assert "RESUME" in output
    assert losses(workdir) == losses(straight)
    final = "eval/test_1x1.json"
    assert json.loads((workdir / final).read_text()) == json.loads((straight / final).read_text())


def test_sigterm_saves_and_the_same_command_goes_on(restart, straight, tmp_path):
    workdir = tmp_path / "preempted"
    process = restart(workdir)
    wait_for_step(process, workdir, 7)
    process.send_signal(signal.SIGTERM)
    code, output = finish(process)
    assert code == 75, output
    stopped_at = max(losses(workdir))
    assert (workdir / "checkpoints" / str(stopped_at)).is_dir()
    code, output = finish(restart(workdir))
    assert code == 0, output
    assert f"at step {stopped_at} of 40" in output
    assert losses(workdir) == losses(straight)


def test_another_config_is_refused_with_the_reason(config, straight):
    code, output = finish(start(config, straight, "--config.optimizer.weight_decay=0.2"))
    assert code == 2
    assert "optimizer.weight_decay: 0.01 -> 0.2" in output
    assert "Traceback" not in output


def test_another_dataset_is_refused_with_the_reason(config, straight, tmp_path):
    override = f"--config.dataset.directory={tmp_path / 'others'}"
    code, output = finish(start(config, straight, override, "--config.dataset.num_clips=10"))
    assert code == 2
    assert "another run" in output and "fingerprint" in output
