"""Evaluators that a config names: logged at every evaluation, in the report, and as the best."""

import json
from pathlib import Path

import pytest

from scenic_video.cli import main
from scenic_video.commands.configs import load_config
from scenic_video.console import Terminal
from scenic_video.runs.evaluation.evaluators import named, run_evaluators, show
from scenic_video.runs.experiment import build_experiment

CONFIG = """
from ml_collections import ConfigDict

def get_config():
    return ConfigDict(dict(
        dataset=dict(target="scenic_video.data.synthetic:dataset", directory={data!r},
                     num_clips=36, size=32, seconds=0.7),
        preprocessing=dict(num_frames=4, stride=2, resize=18, crop=16),
        input=dict(batch_size=8),
        model=dict(target="projects.vivit.model:FrameAverage", hidden_size=8, mlp_dim=8,
                   num_layers=1, num_heads=2, classifier="gap", tubelet_size=(2, 8, 8)),
        learning_rate=dict(target="scenic_video.optimizers:warmup_cosine", peak=1e-2),
        optimizer=dict(target="scenic_video.optimizers:adamw"),
        trainer=dict(num_steps=4, log_every=2, eval_every=2, best_metric="few_shot/2shot_top1"),
        evaluation=dict(split="test", views="1x1", batch_size=8),
        evaluators=dict(few_shot=dict(target="scenic_video.evaluators.few_shot:FewShot",
                                      shots=(1, 2), num_held_out=1)),
    ))
"""


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    config = folder / "config.py"
    config.write_text(CONFIG.format(data=str(folder / "clips")))
    return ["train", f"--config={config}", f"--workdir={folder / 'run'}"]


@pytest.fixture(scope="module")
def run(arguments):
    assert main(arguments) == 0
    return Path(arguments[-1].removeprefix("--workdir="))


def logged(run):
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return {row["step"]: row for row in rows if "few_shot/2shot_top1" in row}


def test_a_config_names_evaluators_and_their_numbers_are_named_and_written(tmp_path, capsys):
    (tmp_path / "config.py").write_text(CONFIG.format(data=str(tmp_path / "clips")))
    overrides = ("dataset.num_clips=24", "evaluators.few_shot.l2=(1.0,)")
    flags = [f"--config.{override}" for override in overrides]
    config = load_config([f"--config={tmp_path / 'config.py'}", *flags]).to_dict()
    experiment = build_experiment(config)
    state = experiment.compile().init()
    results = run_evaluators(experiment.evaluators, state, Terminal(quiet=True))
    assert named(results)["few_shot/test_videos"] == len(experiment.dataset.splits["test"])
    show(results, state, tmp_path, Terminal())
    written = json.loads((tmp_path / "few_shot.json").read_text())
    assert written == {"step": 0, "metrics": results["few_shot"]}
    assert "1shot_top1" in capsys.readouterr().out


@pytest.mark.slow
def test_its_numbers_stand_beside_those_of_every_evaluation(run):
    rows = logged(run)
    assert list(rows) == [2, 4]
    for row in rows.values():
        assert 0 <= row["few_shot/1shot_top1"] <= 1 and row["few_shot/1shot_l2"] > 0
        assert row["few_shot/unreadable"] == 0
        assert "test/top1" in row


@pytest.mark.slow
def test_the_best_checkpoint_may_be_the_evaluators_and_is_what_it_reports(run):
    rows = logged(run)
    result = json.loads((run / "eval" / "few_shot.json").read_text())
    assert result["metrics"]["2shot_top1"] == max(r["few_shot/2shot_top1"] for r in rows.values())
    same = rows[result["step"]]
    found = {f"few_shot/{name}": value for name, value in result["metrics"].items()}
    assert found == pytest.approx({name: same[name] for name in found})


@pytest.mark.slow
def test_a_finished_run_may_be_asked_for_other_shots(run, arguments, capsys):
    other = ["--config.evaluators.few_shot.shots=(3,)", "--config.evaluators.few_shot.l2=(1.0,)"]
    assert main([*arguments, *other]) == 0
    assert "3shot_top1" in capsys.readouterr().out
    metrics = json.loads((run / "eval" / "few_shot.json").read_text())["metrics"]
    assert "3shot_top1" in metrics and "2shot_top1" not in metrics


@pytest.mark.slow
def test_a_field_that_it_does_not_have_is_refused(arguments, capsys):
    assert main([*arguments, "--config.evaluators.few_shot.shot=3"]) == 2
    assert "Did you mean 'shots'?" in capsys.readouterr().err
