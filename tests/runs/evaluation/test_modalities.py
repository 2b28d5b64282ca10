"""A, V and AV of one model in one table, and how many videos are without audio."""

import dataclasses
import io
import json
from typing import Any

import numpy as np
import pytest

import scenic_video
from scenic_video.cli import main
from scenic_video.commands.console import Terminal
from scenic_video.commands.results import show_comparison
from scenic_video.data.decoding.video_reader import UnreadableVideo
from scenic_video.data.synthetic.scenes import ACTIONS
from scenic_video.evaluators.split_result import probabilities
from scenic_video.modalities.audio import Audio
from scenic_video.modalities.flow import Flow
from scenic_video.modalities.rgb import Rgb
from scenic_video.runs.evaluation.comparison import Comparison, ComparisonRow
from scenic_video.runs.evaluation.modalities import absences, letters_of, parse
from scenic_video.runs.evaluation.result_files import write
from scenic_video.runs.evaluation.trained_evaluation import evaluate
from scenic_video.runs.evaluation.trained_model import load
from tests.helpers.runs import FLOW, MBT, without_audio

BOTH = ("audio", "rgb")
ALL = {"rgb": Rgb(), "flow": Flow(), "audio": Audio()}
NAMES = {letter: name for name, letter in letters_of(ALL).items()}


def rule(rows):
    return absences({row: [NAMES[letter] for letter in row] for row in rows}, ALL)


(RULE,) = rule(["A", "V", "AV"])


@pytest.fixture(scope="module")
def audiovisual(save_run, tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("audiovisual") / "run", MBT)


@pytest.fixture(scope="module")
def some_silent(config, audiovisual, tmp_path_factory):
    """Four videos: two as they are, one without audio, one that is none."""
    folder = tmp_path_factory.mktemp("some_silent")
    clips = sorted((config.parent / "clips" / "test").glob("*.mp4"))
    videos = [*clips[:2], without_audio(clips[2], folder / "silent.mp4"), folder / "broken.mp4"]
    videos[-1].write_bytes(b"no video")
    names = ["move_left", "move_right", "move_up", "move_down"]
    rows = [f"{video},{name}" for video, name in zip(videos, names, strict=True)]
    (folder / "test.csv").write_text("\n".join(["path,action", *rows]))
    return folder / "test.csv"


@pytest.fixture(scope="module")
def files(audiovisual, some_silent):
    """What `eval --modalities=all` writes."""
    folder = some_silent.parent / "out"
    flags = [f"--workdir={audiovisual}", f"--data={some_silent}", "--views=2x1"]
    assert main(["eval", *flags, "--modalities=all", f"--out={folder}"]) == 0
    path = folder / f"{some_silent.parent.name}_test_2x1_modalities.json"
    return json.loads(path.read_text()), np.load(path.with_suffix(".npz"))


@pytest.fixture(scope="module")
def alone(audiovisual, some_silent):
    return evaluate(load(audiovisual), data=str(some_silent), views="2x1")


def test_audio_frames_and_both_are_rows(files):
    summary, logits = files
    assert [row["name"] for row in summary["rows"]] == ["A", "V", "AV"]
    modalities = [row["modalities"] for row in summary["rows"]]
    assert modalities == ["audio", "rgb", "audio+rgb"]
    assert [row["num_examples"] for row in summary["rows"]] == [2, 3, 3]
    assert summary["notes"][-1] == RULE
    audio, frames = logits["logits/A/action"], logits["logits/V/action"]
    assert not np.allclose(audio[:2], frames[:2], atol=1e-3)


def test_both_is_what_an_evaluation_of_the_model_gives(files, alone):
    summary, logits = files
    assert summary["rows"][-1]["metrics"] == pytest.approx(alone.metrics, abs=1e-5)
    np.testing.assert_allclose(logits["logits/AV/action"], alone.logits["action"], atol=1e-5)


def test_videos_without_audio_are_told_from_those_that_cannot_be_read(alone):
    assert alone.coverage == "decoded 3 of 4; 1 without audio"
    assert alone.summary["num_without_audio"] == 1
    np.testing.assert_array_equal(alone.present["audio"], [True, True, False, False])


def test_without_audio_both_is_frames_alone_and_audio_does_not_count(files):
    summary, logits = files
    audio, frames, both = (logits[f"logits/{row}/action"] for row in ("A", "V", "AV"))
    np.testing.assert_allclose(both[2], frames[2], atol=1e-5)
    assert not np.allclose(both[0], frames[0], atol=1e-3)
    labels = [ACTIONS.index(name) for name in ("move_left", "move_right")]
    likely = probabilities(audio[:2], multilabel=False)
    wanted = -np.log(likely[range(2), labels]).mean()
    assert summary["rows"][0]["metrics"]["loss"] == pytest.approx(wanted, abs=1e-4)


def test_one_table_is_printed_with_its_rule(alone, tmp_path):
    row = ComparisonRow("AV", 3, alone.metrics, alone.logits, {"modalities": "audio+rgb"})
    printed = io.StringIO()
    comparison = Comparison("test", [row], alone.ids, [RULE], {})
    show_comparison(comparison, tmp_path, Terminal(printed))
    text = " ".join(printed.getvalue().split())
    assert "modalities examples loss top1 top5" in text and "AV audio+rgb 3" in text
    assert RULE in text


def test_what_is_not_a_number_is_null_in_the_results(alone, tmp_path):
    odd = dataclasses.replace(alone, metrics=alone.metrics | {"loss": float("nan")})
    row = ComparisonRow("AV", 3, odd.metrics, odd.logits, {})
    table = Comparison("test", [row], odd.ids, [], {}).write(tmp_path / "table.json")
    table, results = (path.read_text() for path in (table, write(odd, "test", tmp_path)))
    assert "NaN" not in table + results
    for found in (json.loads(table)["rows"][0], json.loads(results)):
        assert found["metrics"]["loss"] is None
        assert found["metrics"]["top1"] == alone.metrics["top1"]


def test_a_task_that_shows_audio_alone_counts_and_predicts_clips_with_audio(
    audiovisual, some_silent, files
):
    model = load(audiovisual)
    task: Any = model.task
    task = dataclasses.replace(task, modalities=["audio"])
    audio_model = dataclasses.replace(model, task=task)
    evaluation = evaluate(audio_model, data=str(some_silent), views="2x1")
    assert evaluation.coverage == "decoded 3 of 4; 1 without audio, not counted"
    np.testing.assert_array_equal(evaluation.counted, [True, True, False, False])
    assert evaluation.confusion("action", 10).sum() == 2
    assert evaluation.metrics == pytest.approx(files[0]["rows"][0]["metrics"], abs=1e-5)
    with pytest.raises(UnreadableVideo, match="the only input of this model"):
        audio_model.logits(some_silent.parent / "silent.mp4", views="1x1")


def test_a_split_of_which_nothing_can_be_read_is_an_error_that_says_why(save_run, tmp_path, capsys):
    run = save_run(tmp_path / "run", FLOW)
    assert main(["eval", f"--workdir={run}", "--views=1x1"]) == 2
    words = " ".join(capsys.readouterr().err.split())
    assert "none of the 4 examples of 'test' can be read. The first, " in words
    assert "scenic-video data flow" in words
    assert not (run / "eval").exists()


def test_predict_reads_audio(audiovisual, some_silent, alone):
    model = scenic_video.load(audiovisual)
    silent = some_silent.parent / "silent.mp4"
    predicted = model.logits(silent, views="2x1")["action"]
    np.testing.assert_allclose(predicted, alone.logits["action"][2], atol=1e-5)


@pytest.mark.slow
def test_an_audio_model_counts_and_predicts_only_clips_with_audio(
    save_run, some_silent, tmp_path, capsys
):
    alone = {"preprocessing.modalities": "('audio',)", "model.modalities": "('audio',)"}
    run = save_run(tmp_path / "run", MBT, **alone)
    evaluation = evaluate(load(run), data=str(some_silent), views="1x1")
    assert evaluation.coverage == "decoded 3 of 4; 1 without audio, not counted"
    np.testing.assert_array_equal(evaluation.counted, [True, True, False, False])
    assert evaluation.confusion("action", 10).sum() == 2
    silent = some_silent.parent / "silent.mp4"
    assert main(["predict", f"--workdir={run}", str(silent)]) == 1
    assert "the only input of this model" in capsys.readouterr().out


def test_requests_are_read():
    assert parse("all", BOTH) == [("audio",), ("rgb",), ("audio", "rgb")]
    assert parse("all", ("rgb",)) == [("rgb",)]
    assert parse("rgb, rgb+audio,audio+rgb", BOTH) == [
        ("rgb",), ("audio", "rgb"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "rows, words",
    [
        (["A", "V", "AV"], "counts in AV with its other modalities and is left out of A; silent"),
        (["A", "V", "F", "AVF"], "counts in AVF with its other modalities and is left out of A;"),
        (
            ["AV", "AF"],
            "An example without audio counts in AV, AF with its other modalities; silent",
        ),
        (["A"], "An example without audio is left out of A; silent tracks count as no audio."),
    ],
)
def test_the_rule_names_the_rows_that_there_are(rows, words):
    (found,) = rule(rows)
    assert words in found


def test_rows_without_audio_need_no_rule():
    assert rule(["V", "F"]) == []


@pytest.mark.parametrize("requested", ["speech", "rgb+flow", "", "rgb,"])
def test_modalities_that_the_model_does_not_read_are_refused(requested):
    with pytest.raises(ValueError, match="the model reads audio, rgb"):
        parse(requested, BOTH)
