"""Runs that learn without labels: trained, evaluated, reported; and not asked for classes."""

import json

import numpy as np
import pytest

from scenic_video.cli import main
from tests.helpers.runs import CONFIG

AUTOENCODER = CONFIG.replace(
    CONFIG[CONFIG.index("        model=") : CONFIG.index("        learning_rate")],
    """        model=dict(target="projects.avmae.pretraining.model:MaskedAutoencoder",
                   hidden_size=16, mlp_dim=16, num_layers=1, num_heads=2, decoder_hidden_size=16,
                   decoder_mlp_dim=16, decoder_num_layers=1, decoder_num_heads=2,
                   patch_size=(2, 8, 8), masking_rate=0.5),
        task=dict(target="scenic_video.tasks.masked_reconstruction:MaskedReconstruction"),
""",
)


@pytest.fixture(scope="module")
def pretrained(save_run, tmp_path_factory):
    """A run of a task that reads no labels, on data that has some."""
    workdir = tmp_path_factory.mktemp("pretrained") / "run"
    return save_run(workdir, AUTOENCODER, **{"evaluation.views": "1x1"})


def eval_files(folder):
    path = folder / "test_1x1.json"
    return json.loads(path.read_text()), np.load(path.with_suffix(".npz"))


@pytest.mark.parametrize("columns", ["path,action", "path"])
def test_a_run_without_classes_is_evaluated_on_any_data(
    pretrained, config, tmp_path, columns, capsys
):
    clip = next((config.parent / "clips" / "test").glob("*.mp4"))
    row = {"path,action": f"{clip},juggle", "path": str(clip)}[columns]
    (tmp_path / "test.csv").write_text(f"{columns}\n{row}\n")
    flags = [f"--workdir={pretrained}", f"--data={tmp_path / 'test.csv'}", f"--out={tmp_path}"]
    assert main(["eval", *flags]) == 0
    assert "decoded 1 of 1" in capsys.readouterr().out
    path = tmp_path / f"{tmp_path.name}_test_1x1.json"
    assert np.isfinite(json.loads(path.read_text())["metrics"]["rgb_loss"])
    assert not [x for x in np.load(path.with_suffix(".npz")) if x.startswith("logits")]


@pytest.mark.slow
def test_a_run_on_data_without_labels_is_trained_and_reported(config, pretrained, tmp_path):
    folder = tmp_path / "unlabelled"
    folder.mkdir()
    for split in ("train", "test"):
        clips = sorted((config.parent / "clips" / split).glob("*.mp4"))
        (folder / f"{split}.csv").write_text("\n".join(["path", *map(str, clips)]) + "\n")
    path = pretrained / "config.py"
    flags = [f"--config={path}", f"--workdir={tmp_path / 'run'}", f"--config.dataset={folder}"]
    flags += ["--config.trainer.num_steps=2", "--config.evaluation.views=1x1"]
    assert main(["train", *flags]) == 0
    summary, stored = eval_files(tmp_path / "run" / "eval")
    assert summary["num_examples"] == 4 and np.isfinite(summary["metrics"]["rgb_loss"])
    assert not [name for name in stored if name.startswith("logits")]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "rgb_loss" in page and 'id="head-1"' not in page and 'id="clips"' not in page


@pytest.mark.parametrize(
    "command, words",
    [
        (["predict", "{clip}", "--workdir={run}"], "Fine-tune it first"),
        (["eval", "--workdir={run}", "--modalities=all"], "needs a classifier"),
        (["eval", "--ensemble={run},runs/other"], "is not a classifier"),
    ],
)
def test_a_run_without_classes_cannot_classify(pretrained, config, command, words, capsys):
    clip = next((config.parent / "clips" / "test").glob("*.mp4"))
    assert main([part.format(run=pretrained, clip=clip) for part in command]) == 2
    assert words in capsys.readouterr().err
