"""Faults that are planted in small runs and their data are found, and named."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from scenic_video.cli import main
from scenic_video.runs.diagnosis.diagnose import diagnose
from tests.helpers.image_fixtures import COLORS, write_image


@pytest.fixture
def data(tmp_path):
    """Writes images of these colours: a split "test" with a folder per class."""

    def write(colors, count=8) -> Path:
        rng = np.random.default_rng(1)
        for name, color in colors.items():
            folder = tmp_path / "data" / "test" / name
            folder.mkdir(parents=True)
            for number in range(count):
                image = rng.normal(color, 40, (40, 56, 3)).clip(0, 255).astype(np.uint8)
                write_image(folder / f"{number}.jpg", image)
        return tmp_path / "data"

    return write


def found(run, data=None, **options):
    """Check -> its finding."""
    findings = diagnose(run, data=None if data is None else str(data), **options)
    return {finding.check: finding for finding in findings}


def faults(findings):
    return {check for check, finding in findings.items() if finding.is_fault}


def test_a_healthy_run_has_no_fault(image_run, capsys):
    assert main(["diagnose", f"--workdir={image_run}"]) == 0
    said = capsys.readouterr().out
    assert "No fault found." in said
    for words in ("top-1 is 100.0% on 6 clips", "normalised", "parts have changed", "is shared"):
        assert words in said.replace("\n", " ")


def test_labels_in_another_order_are_found_and_named(image_run, data):
    names = list(COLORS)
    turned = dict(zip(names, (COLORS[name] for name in [*names[1:], names[0]]), strict=True))
    findings = found(image_run, data(turned))
    assert faults(findings) >= {"accuracy", "order of 'label'"}
    words = findings["order of 'label'"].finding
    assert "top-1 is 0.0%, and 100.0% with the best permutation" in words
    assert "'green' predicted for 'blue'" in words and "'blue' predicted for 'red'" in words
    assert not findings["trained weights"].is_fault


def test_pictures_in_bgr_are_found(image_run, data):
    swapped = {name: color[::-1] for name, color in COLORS.items()}
    finding = found(image_run, data(swapped))["order of channels"]
    assert finding.is_fault
    assert "33.3%, and 100.0% with red and blue swapped" in finding.finding


def test_a_learning_rate_of_0_and_a_wrong_range_are_found(image_run, images, tmp_path):
    config = image_run.parent / "config.py"
    flags = ["--config.learning_rate.peak=0.0", "--config.learning_rate.warmup_steps=0"]
    flags += ["--config.trainer.num_steps=1"]
    node = {"mean": (127.5,) * 3, "std": (127.5,) * 3}
    flags += [f"--config.preprocessing.rgb.{name}={value}" for name, value in node.items()]
    command = ["train", f"--config={config}", f"--workdir={tmp_path / 'run'}", *flags]
    assert main(command) == 0
    findings = found(tmp_path / "run")
    assert faults(findings) >= {"trained weights", "values of rgb"}
    words = findings["trained weights"].finding
    assert words.startswith("after 1 steps, 4 of 4 parts have their first values: Transformer, cls")
    assert "mean=[127.5, 127.5, 127.5]" in findings["values of rgb"].finding


def test_loaded_weights_that_never_changed_are_found(image_run, tmp_path):
    config = image_run.parent / "config.py"
    flags = ["--config.learning_rate.peak=0.0", "--config.learning_rate.warmup_steps=0"]
    flags += ["--config.trainer.num_steps=1", f"--config.init.workdir={image_run}"]
    assert main(["train", f"--config={config}", f"--workdir={tmp_path / 'run'}", *flags]) == 0
    findings = found(tmp_path / "run")
    assert faults(findings) == {"trained weights"}
    assert "4 of 4 parts have their first values" in findings["trained weights"].finding
    assert findings["preprocessing of the initial weights"].finding == "no difference is known"


def test_files_that_splits_share_are_found(image_run, images, data):
    folder = data(COLORS, count=2)
    shutil.copy(images / "train" / "red" / "train_3.jpg", folder / "test" / "red" / "other.jpg")
    finding = found(image_run, folder)["files of test and the training of the run"]
    assert finding.is_fault
    assert finding.finding.startswith("1 pairs of examples are the same clip: ")
    assert "other.jpg" in finding.finding and "train_3.jpg" in finding.finding


def test_the_findings_are_printed_as_json(image_run, data, capsys):
    swapped = {name: color[::-1] for name, color in COLORS.items()}
    folder = data(swapped)
    assert main(["diagnose", f"--workdir={image_run}", f"--data={folder}", "--json"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert '"check": "accuracy"' in lines[0]
