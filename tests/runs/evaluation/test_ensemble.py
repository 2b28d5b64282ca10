"""Several runs on the same examples: one table, and an average that is one."""

import dataclasses
import json

import numpy as np
import pytest

from scenic_video.cli import main
from scenic_video.evaluators.split_result import probabilities
from scenic_video.runs.evaluation.ensemble import (
    Entry,
    average_members,
    evaluate_ensemble,
    evaluate_member,
)
from scenic_video.runs.evaluation.trained_evaluation import evaluate
from scenic_video.runs.evaluation.trained_model import load


@pytest.fixture(scope="module")
def other(save_run, tmp_path_factory):
    """A run of other weights, that sees other clips of the videos."""
    return save_run(tmp_path_factory.mktemp("other") / "run", seed=1, **{"preprocessing.stride": 1})


@pytest.fixture(scope="module")
def comparison(run, other):
    return evaluate_ensemble([Entry(str(run)), Entry(str(other), 2.0)], views="1x1")


@pytest.fixture(scope="module")
def alone(other):
    return evaluate(load(other), views="1x1")


def test_every_member_has_the_metrics_of_its_own_evaluation(other, comparison, alone):
    row = comparison.rows[1]
    assert row.name == str(other) and row.num_examples == 4
    assert row.metrics == pytest.approx(alone.metrics, abs=1e-5)
    np.testing.assert_allclose(row.logits["action"], alone.logits["action"], atol=1e-5)


def test_the_ensemble_averages_probabilities_by_weight(comparison):
    first, second, ensemble = (
        probabilities(row.logits["action"], multilabel=False) for row in comparison.rows
    )
    assert comparison.rows[-1].name == "ensemble"
    np.testing.assert_allclose(ensemble, (first + 2 * second) / 3, atol=1e-6)
    assert not np.allclose(first, second, atol=1e-3)


def test_the_metrics_of_the_ensemble_are_of_its_logits(alone, comparison):
    labels = np.concatenate([*alone.labels["action"]])
    row = comparison.rows[-1]
    likely = probabilities(row.logits["action"], multilabel=False)
    assert row.metrics["top1"] == pytest.approx((likely.argmax(-1) == labels).mean())
    assert row.metrics["loss"] == pytest.approx(-np.log(likely[range(4), labels]).mean(), abs=1e-5)


def test_the_command_prints_and_writes_a_row_a_run_and_one_for_all(run, other, tmp_path, capsys):
    flags = [f"--ensemble={run},{other}:2", "--views=1x1", "--average=logits"]
    assert main(["eval", *flags, f"--out={tmp_path}"]) == 0
    out = capsys.readouterr().out
    assert "average of logits" in out and "top5" in out and "decoded 4 of 4" in out
    path = tmp_path / "ensemble_test_1x1.json"
    summary = json.loads(path.read_text())
    assert [row["name"] for row in summary["rows"]] == [str(run), str(other), "ensemble"]
    assert [row.get("weight") for row in summary["rows"]] == [1.0, 2.0, None]
    stored = np.load(path.with_suffix(".npz"))
    first, second, ensemble = (stored[f"logits/{name}/action"] for name in (run, other, "ensemble"))
    np.testing.assert_allclose(ensemble, (first + 2 * second) / 3, atol=1e-5)
    assert len(stored["ids"]) == 4


@pytest.fixture(scope="module")
def members(other):
    """One run twice, of which the second knows its classes in another order."""
    first = evaluate_member(Entry(str(other)), views="1x1")
    first, evaluation = dataclasses.replace(first, entry=Entry("a")), first.evaluation
    names = first.labels.classes["action"]
    order = np.random.default_rng(0).permutation(len(names))
    place = np.argsort(order)
    second = dataclasses.replace(
        first,
        entry=Entry("b"),
        labels=dataclasses.replace(
            first.labels, classes={"action": tuple(names[i] for i in order)}
        ),
        evaluation=dataclasses.replace(
            evaluation,
            logits={"action": evaluation.logits["action"][:, order]},
            labels={"action": [(int(place[i]),) for (i,) in evaluation.labels["action"]]},
        ),
    )
    return first, second


def test_classes_are_matched_by_name(members):
    first, second = members
    aligned = second.like(first)
    np.testing.assert_array_equal(
        aligned.evaluation.logits["action"], first.evaluation.logits["action"]
    )
    assert aligned.evaluation.labels == first.evaluation.labels


def test_runs_that_know_other_classes_are_refused(members):
    first, second = members
    names = ("swim", *second.labels.classes["action"][1:])
    odd = dataclasses.replace(
        second, labels=dataclasses.replace(second.labels, classes={"action": names})
    )
    with pytest.raises(ValueError, match="only one of them has the classes .*swim"):
        odd.like(first)


def test_examples_are_matched_by_id(members):
    first, second = members
    found = second.evaluation
    turned = dataclasses.replace(
        found,
        ids=found.ids[::-1],
        labels={"action": found.labels["action"][::-1]},
        logits={"action": found.logits["action"][::-1]},
        readable=found.readable[::-1],
    )
    both = [first, dataclasses.replace(second, evaluation=turned).like(first)]
    rows = average_members(both, average="logits").rows
    for row in rows:
        np.testing.assert_allclose(
            row.logits["action"], first.evaluation.logits["action"], atol=1e-5
        )


def test_other_labels_of_the_same_examples_are_refused(members):
    first, _ = members
    found = first.evaluation
    wrong = dataclasses.replace(found, labels={"action": [(9,)] * 4})
    with pytest.raises(ValueError, match="label .* examples differently"):
        average_members([first, dataclasses.replace(first, evaluation=wrong)], average="logits")


def test_what_one_run_cannot_read_counts_for_none(members):
    first, second = members
    readable = np.array([True, False, True, True])
    error = {"id": first.evaluation.ids[1], "error": "broken"}
    found = dataclasses.replace(second.evaluation, readable=readable, unreadable=[error])
    both = [first, dataclasses.replace(second, evaluation=found).like(first)]
    comparison = average_members(both, average="probabilities")
    assert [row.num_examples for row in comparison.rows] == [3, 3, 3]
    assert f"unreadable for b: {error['id']}: broken" in comparison.notes
    assert "3 of 4 examples count, in every row: those that all runs have." in comparison.notes
    labels = np.concatenate([*first.evaluation.labels["action"]])[readable]
    right = first.evaluation.logits["action"][readable].argmax(-1) == labels
    assert comparison.rows[0].metrics["top1"] == pytest.approx(right.mean())


def test_examples_that_one_run_has_not_count_for_none(members):
    first, second = members
    found = second.evaluation
    fewer = dataclasses.replace(
        found,
        ids=found.ids[1:],
        labels={"action": found.labels["action"][1:]},
        logits={"action": found.logits["action"][1:]},
        readable=found.readable[1:],
    )
    both = [first, dataclasses.replace(second, evaluation=fewer).like(first)]
    comparison = average_members(both, average="probabilities")
    assert list(comparison.ids) == first.evaluation.ids[1:]
    assert f"1 examples of a are not in the data of all runs: {found.ids[0]}" in comparison.notes


@pytest.mark.parametrize(
    "text, entry",
    [
        ("runs/a", Entry("runs/a")),
        ("runs/a:2", Entry("runs/a", 2.0)),
        ("gs://bucket/a", Entry("gs://bucket/a")),
        ("gs://bucket/a:0.5", Entry("gs://bucket/a", 0.5)),
    ],
)
def test_a_run_and_its_weight_are_read(text, entry):
    assert Entry.parse(text) == entry


def test_a_folder_whose_name_ends_like_a_weight_is_a_run(tmp_path):
    (tmp_path / "run:2").mkdir()
    assert Entry.parse(f"{tmp_path}/run:2") == Entry(f"{tmp_path}/run:2")
    assert Entry.parse(f"{tmp_path}/run:2:3") == Entry(f"{tmp_path}/run:2", 3.0)


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--ensemble=runs/a"], "two or more different runs"),
        (["--ensemble=runs/a,runs/a/"], "two or more different runs"),
        (["--ensemble=runs/a,runs/b/../a:2"], "got runs/a, runs/b/../a. To count a run twice"),
        (["--ensemble=runs/a:0,runs/b"], "weights above 0"),
        (["--ensemble=runs/a,runs/b", "--modalities=all"], "one model"),
        (["--workdir=runs/a", "--average=logits"], "applies only to --ensemble"),
    ],
)
def test_flags_without_effect_are_refused(flags, words, capsys):
    assert main(["eval", *flags]) == 2
    assert words in capsys.readouterr().err


def test_any_of_several_labels_is_right_for_members_of_one_label(members):
    first, second = members
    likely = first.evaluation.logits["action"].argsort(axis=-1)
    several = [(int(row[-1]), int(row[0])) for row in likely]
    both = [
        dataclasses.replace(
            member,
            evaluation=dataclasses.replace(member.evaluation, labels={"action": several}),
        )
        for member in (first, second.like(first))
    ]
    for row in average_members(both, average="probabilities").rows:
        assert row.metrics["top1"] == 1.0
