import json
import shutil
import subprocess
import sys

import pytest

from scenic_video import cli
from scenic_video.data.decoding.video_info import inspect
from scenic_video.data.sources import datasets


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    directory = tmp_path_factory.mktemp("data") / "videos"
    assert data("synthesize", f"--out={directory}", "--clips=6", "--num-workers=1") == 0
    return directory


def data(*arguments):
    return cli.main(["data", *(str(argument) for argument in arguments)])


@pytest.fixture
def broken(videos, tmp_path):
    """A folder with a good and a broken video, and manifests train.csv and test.csv."""
    shutil.copy(videos / "train/00000.mp4", tmp_path / "good.mp4")
    (tmp_path / "bad.mp4").write_bytes(b"nothing of use")
    (tmp_path / "train.csv").write_text("path,verb,noun\ngood.mp4,cut,onion\nbad.mp4,cut,leek\n")
    (tmp_path / "test.csv").write_text("path,verb,noun\ngood.mp4,put,pan\n")
    return tmp_path


def test_synthesized_clips_are_a_dataset(videos, capsys):
    assert [len(split) for split in datasets.open_dataset(videos).splits.values()] == [5, 1]
    assert data("synthesize", f"--out={videos}", "--clips=6") == 0
    assert f"6 clips are in {videos}" in capsys.readouterr().out


def test_other_clips_in_the_same_folder_are_the_users_error(videos, capsys):
    assert data("synthesize", f"--out={videos}", "--clips=6", "--seed=1") == 2
    assert "seed=0 instead of 1" in capsys.readouterr().err


def test_check_shows_splits_classes_and_a_verdict(broken, capsys):
    assert data("check", broken / "train.csv", broken / "test.csv") == 0
    out = capsys.readouterr().out
    assert "Examples by verb" in out and "onion" in out
    assert "Invalid data found" in " ".join(out.split())  # a long path folds the line
    assert out.splitlines()[-5:] == [
        "1 of 3 examples cannot be read. Possible problems:",
        "- 1 are in more than one split",
        "- 1 have the clip of another example but other labels",
        "- 1 class of 'verb' is only in 'test': 'put'",
        "- 1 class of 'noun' is only in 'test': 'pan'",
    ]


def test_a_strict_check_fails_where_files_are_unreadable(broken, videos):
    assert data("check", broken / "train.csv", "--strict") == 1
    assert data("check", broken / "test.csv", "--strict") == 0


def test_check_writes_its_report_as_json(broken, capsys):
    report = broken / "report.json"
    assert data("check", broken, "--heads=noun", f"--json={report}") == 0
    found = json.loads(report.read_text())
    assert found["splits"]["test"]["histogram"] == {"noun": {"leek": 0, "onion": 0, "pan": 1}}
    assert [finding["id"] for finding in found["unreadable"]] == ["bad.mp4"]
    assert str(report) in capsys.readouterr().out


def test_options_of_manifests_are_passed_on(broken, tmp_path, capsys):
    names = tmp_path / "names.txt"
    names.write_text("put\ncut\npeel\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(broken / "train.csv", elsewhere / "all.csv")
    arguments = [elsewhere / "all.csv", f"--root={broken}", "--heads=verb", f"--classes={names}"]
    assert data("check", *arguments) == 0
    out = capsys.readouterr().out
    assert "all" in out and "peel, put" not in out and "put, peel" in out


def test_multilabel_cells_are_read_where_asked(videos, tmp_path, capsys):
    shutil.copy(videos / "train/00000.mp4", tmp_path / "a.mp4")
    (tmp_path / "train.csv").write_text("path,tags\na.mp4,cat|dog\n")
    assert data("check", tmp_path / "train.csv") == 2
    assert "line 2, column 'tags': wanted one label, got 2 (cat, dog)" in capsys.readouterr().err
    assert data("check", tmp_path / "train.csv", "--multilabel") == 0


def test_built_records_hold_the_dataset(videos, tmp_path, capsys):
    records = tmp_path / "records"
    assert data("build", videos, f"--out={records}", "--name=clips") == 0
    assert f"{records} holds 5 train, 1 test." in capsys.readouterr().out
    built, source = datasets.open_dataset(records), datasets.open_dataset(videos)
    assert built.fingerprint == source.fingerprint
    assert built.name == "clips" and not built.flip_safe
    assert data("check", records, "--strict") == 0
    assert data("build", videos, f"--out={records}") == 2
    assert "already exists" in capsys.readouterr().err


def test_what_a_folder_leaves_out_is_said_where_it_is_packed_or_copied(videos, tmp_path, capsys):
    for name in ("run/a.mp4", "jump/b.mp4", "jump/deep/c.mp4"):
        (tmp_path / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(videos / "train/00000.mp4", tmp_path / "train" / name)
    assert data("build", tmp_path, f"--out={tmp_path / 'records'}", "--name=x") == 0
    assert "left out: 1 file in deeper folders (train/jump/deep)" in capsys.readouterr().out


def test_transcoded_copies_are_small_and_what_fails_is_named(broken, tmp_path, capsys):
    small = tmp_path / "small"
    arguments = [broken, f"--out={small}", "--short-side=32", "--num-workers=1"]
    assert data("transcode", *arguments) == 1
    out = capsys.readouterr().out
    assert "left out: " in out and "bad.mp4" in out
    assert "2 videos written, 0 kept, 1 left out." in out and f"dataset={str(small)!r}" in out
    copy = datasets.open_dataset(small)
    assert {split: len(examples) for split, examples in copy.splits.items()} == {
        "train": 1,
        "test": 1,
    }
    assert inspect(copy.splits["test"][0].video).height == 32
    assert data("transcode", broken / "test.csv", f"--out={tmp_path / 'silent'}", "--audio-rate=0",
                "--num-workers=1") == 0  # fmt: skip
    silent = datasets.open_dataset(tmp_path / "silent").splits["test"][0]
    assert not inspect(silent.video).has_audio


def test_a_copy_says_that_it_lacks_the_flow_of_its_source(broken, tmp_path, capsys):
    (broken / "test.csv").write_text("path,flow,verb\ngood.mp4,flow.npz,put\n")
    small = tmp_path / "small"
    assert data("transcode", broken / "test.csv", f"--out={small}", "--num-workers=1") == 0
    assert f"run `scenic-video data flow {small}`" in " ".join(capsys.readouterr().out.split())
    assert datasets.open_dataset(small).splits["test"][0].flow is None


def test_direction_of_motion_can_be_noted_with_the_records(broken, tmp_path):
    for flags, flip_safe in (((), True), (("--flip-unsafe",), False)):
        records = tmp_path / f"records_{flip_safe}"
        assert data("build", broken / "test.csv", f"--out={records}", *flags) == 0
        assert datasets.open_dataset(records).flip_safe == flip_safe


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["check"], "required: DATA"),
        (["check", "nowhere"], "'nowhere' is not a dataset"),
        (["check", "a/train.csv", "b/train.csv"], "their stems must differ"),
        (["check", "train.csv", "folder"], "folder: the name of a table must end in one of"),
        (["synthesize", "--clips=4"], "required: --out"),
        (["synthesize", "--out=x", "--clip=4"], "--clip"),
        (["pack"], "invalid choice: 'pack'"),
    ],
)
def test_mistakes_are_told_in_one_message(arguments, complaint, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.csv").write_text("path\nx.mp4\n")
    assert data(*arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and complaint in err and "Traceback" not in err


@pytest.mark.parametrize("command", ["", "synthesize", "check", "build", "transcode"])
def test_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        data(*([command] if command else []), "--help")
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    assert f"scenic-video data {command}".strip() in out.split("example")[-1]


def test_the_command_line_needs_neither_tensorflow_nor_jax_to_make_data(tmp_path):
    code = (
        "import sys; from scenic_video import cli; "
        f"cli.main(['data', 'synthesize', '--out={tmp_path / 'x'}', '--clips=2']); "
        "print([name for name in ('tensorflow', 'jax') if name in sys.modules])"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed.splitlines()[-1] == "[]"
