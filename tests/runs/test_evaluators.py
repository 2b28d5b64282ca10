"""Evaluators of a config: each in its cadence, logged, written, in the report, and as the best."""

import json
from pathlib import Path

import numpy as np
import pytest

from scenic_video.cli import main
from scenic_video.commands.configs import load_config
from scenic_video.commands.console import Terminal
from scenic_video.commands.results import show_result
from scenic_video.config import ConfigError
from scenic_video.runs import best_metric
from scenic_video.runs.evaluation.result_files import write
from scenic_video.runs.evaluators import named, run_evaluators
from scenic_video.runs.experiment import build_experiment
from scenic_video.runs.reporter import SILENT

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
                                      shots=(1, 2), num_held_out=1),
                        train_clips=dict(target="scenic_video.evaluators.split:SplitEvaluation",
                                         split="train", every=1),
                        whole=dict(target="scenic_video.evaluators.split:SplitEvaluation",
                                   views="2x1", batch_size=16, every=0)),
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


def logged(run, metric="few_shot/2shot_top1"):
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return {row["step"]: row for row in rows if metric in row}


def build(arguments, *overrides):
    flags = [f"--config.{override}" for override in overrides]
    return build_experiment(load_config([arguments[1], *flags]).to_dict())


def test_a_dry_run_traces_every_evaluation_of_a_split_with_its_shapes(arguments):
    batches = build(arguments).evaluation_shapes()
    assert [batch["inputs"]["rgb"].shape[:2] for batch in batches] == [(8, 1), (16, 2)]


def test_a_config_names_evaluators_and_their_numbers_are_named_and_written(
    arguments, tmp_path, capsys, monkeypatch
):
    experiment = build(arguments, "evaluators.few_shot.l2=(1.0,)")
    state, splits = experiment.compile().init(), experiment.dataset.splits
    training = experiment.evaluators.periodic(experiment.cadence.eval_every, SILENT)
    assert [periodic.every for periodic in training] == [2, 2, 1]
    labels: list[str] = []
    reporter = Terminal()
    monkeypatch.setattr(reporter, "counting", lambda x: (labels.append(x), SILENT.counting(x))[1])
    results = run_evaluators(experiment.evaluators.final, state, reporter)
    assert labels[-2:] == ["evaluating train_clips", "evaluating whole, 2x1 views"]
    assert list(results) == ["test", "few_shot", "train_clips", "whole"]
    numbers = named(results)
    assert numbers["few_shot/test_videos"] == len(splits["test"])
    assert (
        numbers["test/loss"] > 0 and numbers["train_clips/loss"] > 0 and numbers["whole/loss"] > 0
    )
    assert training[2].evaluate(state)["train_clips/loss"] == numbers["train_clips/loss"]
    for name, result in results.items():
        show_result(result, name, write(result, name, tmp_path), Terminal())
    written = json.loads((tmp_path / "few_shot.json").read_text())
    assert written == {"step": 0, "metrics": results["few_shot"].metrics}
    assert json.loads((tmp_path / "train_clips_1x1.json").read_text())["split"] == "train"
    with np.load(tmp_path / "whole_2x1.npz") as arrays:
        assert len(arrays["ids"]) == len(splits["test"])
    assert "1shot_top1" in capsys.readouterr().out


@pytest.mark.parametrize(
    "overrides, message",
    [
        (
            ["trainer.best_metric=whole/loss"],
            "evaluators.whole has every=0 and runs only after",
        ),
        (["trainer.best_metric=train_clips/los"], "evaluation computes loss, .* mean 'loss'"),
        (
            ["trainer.best_metric=train_clips/loss", "evaluators.train_clips.every=3"],
            r"checkpoint_every \(2\) must be a multiple of evaluators.train_clips.every \(3\)",
        ),
    ],
)
def test_the_best_metric_must_be_there_at_every_checkpoint(arguments, overrides, message):
    experiment = build(arguments, *overrides)
    with pytest.raises(ConfigError, match=message):
        best_metric.check(experiment)


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["evaluators.test={'target':'collections:UserDict'}"], "has the name of the split"),
        (
            ["evaluators.other={'target':'collections:UserDict'}"],
            "evaluators.other: a UserDict is not an evaluator",
        ),
        (["evaluators.whole.every=-1"], "every is -1; wanted a whole number from 0"),
    ],
)
def test_what_is_no_evaluator_is_refused(arguments, overrides, message):
    with pytest.raises(ConfigError, match=message):
        build(arguments, *overrides)


@pytest.mark.slow
def test_its_numbers_stand_beside_those_of_every_evaluation(run):
    rows = logged(run)
    assert list(rows) == [2, 4]
    for row in rows.values():
        assert 0 <= row["few_shot/1shot_top1"] <= 1 and row["few_shot/1shot_l2"] > 0
        assert row["few_shot/unreadable"] == 0
        assert "test/top1" in row


@pytest.mark.slow
def test_each_evaluator_runs_in_its_own_cadence_and_all_run_at_the_end(run):
    assert list(logged(run, "train_clips/top1")) == [1, 2, 3, 4]
    assert list(logged(run, "test/top1")) == [2, 4] and not logged(run, "whole/top1")
    written = {path.name for path in (run / "eval").iterdir()}
    assert {"few_shot.json", "test_1x1.json", "train_clips_1x1.npz", "whole_2x1.npz"} < written
    assert "whole, 2x1 views" in (run / "report.html").read_text()


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
