"""By whose statistics a run normalises its audio."""

import dataclasses
import shlex

import pytest

from scenic_video.cli import main
from scenic_video.commands.configs import load_config
from scenic_video.data import synthetic
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.sources.datasets import open_dataset
from scenic_video.modalities.audio import Audio
from scenic_video.runs.experiment import build_experiment
from scenic_video.runs.options import InputOptions
from scenic_video.runs.parts import with_statistics
from tests.helpers.runs import MBT

AUDIO = Audio(seconds=0.32, num_mel_bins=32)
AUDIOVISUAL = Preprocessing(num_frames=2, modalities=("rgb", "audio"), audio=AUDIO)


@pytest.fixture
def two(tmp_path, monkeypatch):
    """A folder with a.csv and b.csv, of other clips; commands run beside it."""
    monkeypatch.chdir(tmp_path)
    clips = synthetic.synthesize(tmp_path / "clips", num_clips=12, size=32, seconds=0.7)
    (tmp_path / "two").mkdir()
    for name, numbers in (("a", range(4)), ("b", range(4, 8))):
        rows = [f"{clips}/train/{number:05}.mp4,x|y,{number % 2}" for number in numbers]
        (tmp_path / "two" / f"{name}.csv").write_text("\n".join(["path,tags,noun", *rows]) + "\n")
    return tmp_path / "two"


def chosen(node, split):
    """(mean, std) that a run on this node takes."""
    fields = (
        {"path": node} if isinstance(node, str) else {k: node[k] for k in node if k != "target"}
    )
    found = with_statistics(AUDIOVISUAL, open_dataset(**fields), node, split=split)
    return found.modalities["audio"].mean, found.modalities["audio"].std


def measure(error):
    """Runs the command that an error names."""
    command = str(error.value).partition("`")[2].partition("`")[0]
    assert main(shlex.split(command)[1:]) == 0


def test_each_dataset_of_a_folder_has_statistics_of_its_own(two):
    opened = {"target": "scenic_video.data.sources.datasets:open_dataset", "multilabel": True}
    a, b = (opened | {"path": f"two/{name}.csv"} for name in "ab")
    with pytest.raises(ValueError, match="has no statistics") as error:
        chosen(a, "a")
    measure(error)
    before = chosen(a, "a")
    with pytest.raises(ValueError, match="computed on other examples.* on two, a ") as error:
        chosen(b, "b")
    measure(error)
    assert before == chosen(a, "a") != chosen(b, "b")  # so that a run on a.csv resumes


def test_other_heads_and_other_splits_beside_it_change_nothing(two):
    flags = ["--seconds=0.32", "--num-mel-bins=32"]
    assert main(["data", "stats", "two/a.csv", "--split=a", "--heads=noun", *flags]) == 0
    node = {
        "target": "scenic_video.data.sources.datasets:open_dataset",
        "path": "two",
        "multilabel": True,
    }
    assert chosen(node, "a") == chosen(node | {"heads": ["tags"]}, "a")
    with pytest.raises(ValueError, match="other examples") as error:
        chosen(node | {"heads": {"what": "noun"}}, "b")
    assert "data stats two --split=b --heads=noun --multilabel" in str(error.value)


def test_a_run_on_a_subset_takes_the_statistics_of_the_split(tmp_path):
    path = tmp_path / "config.py"
    text = MBT.replace(", mean=0.0, std=1.0", "").format(data=str(tmp_path / "clips"))
    path.write_text(text)
    config = load_config([f"--config={path}", "--config.input.num_examples=8"]).to_dict()
    with pytest.raises(
        ValueError, match=r"`scenic-video data stats node.json --split=train .*JSON"
    ):
        build_experiment(config)
    flags = ["--seconds=0.32", "--num-mel-bins=32", "--max-examples=6"]
    assert main(["data", "stats", str(tmp_path / "clips"), *flags]) == 0
    experiment = build_experiment(config)
    assert experiment.input == InputOptions(batch_size=8, num_examples=8)
    trained = Preprocessing.from_dict(experiment.checkpoint_meta()["preprocessing"])
    assert trained == experiment.preprocessing  # which is all that an evaluation asks
    assert trained.modalities["audio"].mean is not None


def test_statistics_may_lie_in_another_folder_which_the_run_names(two):
    elsewhere = dataclasses.replace(AUDIO, statistics="kept")
    preprocessing = dataclasses.replace(
        AUDIOVISUAL, modalities=AUDIOVISUAL.modalities | {"audio": elsewhere}
    )
    node = {"target": "scenic_video.data.sources.datasets:open_dataset", "multilabel": True}
    node["path"] = "two/a.csv"
    dataset = open_dataset("two/a.csv", multilabel=True)
    with pytest.raises(ValueError, match="--out=kept") as error:
        with_statistics(preprocessing, dataset, node, split="a")
    measure(error)
    assert sorted(path.name for path in two.iterdir()) == ["a.csv", "b.csv"]
    found = with_statistics(preprocessing, dataset, node, split="a").modalities["audio"]
    assert found.mean is not None


def test_a_place_that_cannot_be_written_to_is_told_before_audio_is_read(two, capsys):
    assert (
        main(["data", "stats", "two/a.csv", "--split=a", "--multilabel", "--out=/proc/none"]) == 2
    )
    said = capsys.readouterr().err
    assert "Cannot write to /proc/none" in said and "audio.statistics=FOLDER" in said
