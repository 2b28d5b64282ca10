"""Evaluation and prediction of one small trained run: results, files and errors."""

import json
import re

import numpy as np
import pytest

import scenic_video
from scenic_video.cli import main
from scenic_video.config import ConfigError


def eval_files(run, split="test", views="2x3"):
    path = run / "eval" / f"{split}_{views}.json"
    return json.loads(path.read_text()), np.load(path.with_suffix(".npz"))


def test_training_leaves_metrics_events_evaluation_and_report(run):
    assert (run / "metrics.jsonl").exists()
    assert list((run / "tensorboard").iterdir())
    summary, logits = eval_files(run)
    assert summary["num_examples"] == 4 and summary["num_unreadable"] == 0
    assert logits["logits/action"].shape == (4, 10)
    assert "move_left" in (run / "report.html").read_text()


def test_every_log_row_splits_the_time(run):
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    row = next(row for row in rows if "train/loss" in row)
    shares = [row[f"time/{part}_share"] for part in ("data_wait", "compute", "rest")]
    assert sum(shares) == pytest.approx(1.0, abs=1e-6)


def test_predict_equals_eval_on_the_same_file(run):
    _, evaluated = eval_files(run)
    model = scenic_video.load(run)
    clips = run.parent / "clips"
    for video, logits in zip(evaluated["ids"], evaluated["logits/action"], strict=True):
        predicted = model.logits(clips / str(video), views="2x3")
        np.testing.assert_allclose(predicted["action"], logits, atol=1e-5)


def test_eval_of_the_workdir_equals_the_evaluation_at_the_end_of_training(run, capsys):
    before, logits = eval_files(run)
    assert main(["eval", f"--workdir={run}"]) == 0
    after, logits_after = eval_files(run)
    np.testing.assert_allclose(logits["logits/action"], logits_after["logits/action"], atol=1e-5)
    assert after["metrics"] == pytest.approx(before["metrics"], abs=1e-5)
    assert "decoded 4 of 4" in capsys.readouterr().out


def test_predict_names_classes(run, capsys):
    video = next((run.parent / "clips" / "test").glob("*.mp4"))
    assert main(["predict", f"--workdir={run}", "--top=2", "--json", str(video)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [name for name, _ in answer["predictions"]["action"]][0] in (
        scenic_video.load(run).labels.classes["action"]
    )
    assert len(answer["predictions"]["action"]) == 2


def test_predict_says_which_file_cannot_be_read(run, tmp_path, capsys):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    assert main(["predict", f"--workdir={run}", str(broken)]) == 1
    assert "broken.mp4" in capsys.readouterr().out


def test_eval_reports_what_it_could_not_read_and_counts_the_rest(run, tmp_path, capsys):
    clips = run.parent / "clips"
    names = ["move_left", "move_right", "move_up"]
    rows = [f"{clips}/test/{i:05d}.mp4,{name}" for i, name in enumerate(names)]
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    manifest = tmp_path / "test.csv"
    manifest.write_text("\n".join(["path,action", *rows, f"{broken},grow"]))
    assert main(["eval", f"--workdir={run}", f"--data={manifest}", "--views=1x1"]) == 0
    out = capsys.readouterr().out
    assert "decoded 3 of 4" in out and "broken.mp4" in out
    summary, logits = eval_files(run, split=f"{tmp_path.name}_test", views="1x1")
    assert summary["num_unreadable"] == 1 and summary["step"] == 4
    # Four classes, sorted by name, are matched by name to the ten that were trained.
    labels = [0, 1, 2]
    right = logits["logits/action"][:3].argmax(-1) == labels
    assert summary["metrics"]["top1"] == pytest.approx(right.mean())


def test_unknown_classes_are_refused(run, tmp_path, capsys):
    clips = run.parent / "clips"
    manifest = tmp_path / "test.csv"
    manifest.write_text(f"path,action\n{clips}/test/00000.mp4,juggle\n")
    assert main(["eval", f"--workdir={run}", f"--data={manifest}"]) == 2
    assert "juggle" in capsys.readouterr().err


@pytest.mark.parametrize("views", ["4", "0x3", "axb"])
def test_views_that_are_none_are_refused(run, views, capsys):
    assert main(["eval", f"--workdir={run}", f"--views={views}"]) == 2
    assert "such as 4x3" in capsys.readouterr().err


def test_one_run_starts_from_the_weights_of_another(run, tmp_path, capsys):
    workdir = tmp_path / "finetuned"
    config = run.parent / "config.py"
    arguments = [f"--config={config}", f"--workdir={workdir}", "--config.trainer.num_steps=1"]
    assert main(["train", *arguments, f"--config.init.workdir={run}"]) == 0
    assert re.search(r"INIT from the weights of \S*run \(step 4\)", capsys.readouterr().out)


def test_a_dry_run_says_everything_and_writes_nothing(run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", f"--config={run.parent / 'config.py'}", "--dry-run"]) == 0
    out = capsys.readouterr().out
    for words in ("hidden_size", "GFLOPs", "parameters", "epochs", "learning rate"):
        assert words in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "override, words",
    [
        ("--config.evaluation.split=val", "no split 'val'"),
        ("--config.evaluation.views=4", "such as 4x3"),
        ("--config.evaluation.batch_size=0", "above 0"),
        ("--config.input.batch_size=-1", "above 0"),
        ("--config.trainer.micro_batches=5", "cannot be split"),
        ("--config.trainer.num_epochs=-2", "above 0"),
    ],
)
def test_what_cannot_work_is_refused_before_training(run, tmp_path, override, words, capsys):
    arguments = [f"--config={run.parent / 'config.py'}", f"--workdir={tmp_path / 'run'}"]
    assert main(["train", *arguments, override]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_lowest_loss_is_the_best(run, tmp_path, capsys):
    arguments = [f"--config={run.parent / 'config.py'}", f"--workdir={tmp_path / 'run'}"]
    options = ["--config.trainer.best_metric=loss", "--config.trainer.eval_every=1"]
    options += ["--config.trainer.num_steps=4", "--config.trainer.checkpoint_every=1"]
    assert main(["train", *arguments, *options, "--config.learning_rate.peak=0.5"]) == 0
    rows = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    losses = {row["step"]: row["test/loss"] for row in rows if "test/loss" in row}
    best = min(losses, key=lambda step: losses[step])
    assert f"best checkpoint is that of step {best}." in capsys.readouterr().out
    assert eval_files(tmp_path / "run")[0]["step"] == best


def test_a_run_that_diverges_stops_and_names_its_clips(run, tmp_path, capsys):
    arguments = [f"--config={run.parent / 'config.py'}", f"--workdir={tmp_path / 'run'}"]
    diverge = ["--config.learning_rate.peak=1e38", "--config.trainer.num_steps=30"]
    assert main(["train", *arguments, *diverge]) == 1
    error = capsys.readouterr().err
    assert "5 steps in a row" in error
    assert "train/000" in error and "Traceback" not in error


def test_a_run_that_names_code_of_elsewhere_is_opened_on_trust_alone(
    save_run, tmp_path, monkeypatch, capsys
):
    (tmp_path / "of_elsewhere.py").write_text(
        "from scenic_video.tasks.classification import Classification as Task\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    workdir = save_run(tmp_path / "run", **{"task.target": "of_elsewhere:Task"})
    with pytest.raises(ConfigError, match="'of_elsewhere:Task'"):
        scenic_video.load(workdir)
    assert main(["predict", f"--workdir={workdir}", "clip.mp4"]) == 2
    assert main(["eval", f"--workdir={workdir}"]) == 2
    assert main(["eval", f"--ensemble={workdir},{tmp_path}"]) == 2
    assert capsys.readouterr().err.count("of the run, use --trust.") == 3
    assert scenic_video.load(workdir, trust=True).labels.classes
    assert main(["predict", f"--workdir={workdir}", "--trust", "no_clip.mp4"]) == 1
