import os
import subprocess
import sys
from pathlib import Path

import pytest

from scenic_video import cli


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["train"],
        ["eval"],
        ["predict"],
        ["data"],
        ["recipes"],
        ["data", "check"],
        ["data", "build"],
        ["data", "synthesize"],
        ["data", "transcode"],
    ],
)
def test_every_command_has_help_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main([*command, "--help"])
    assert exit.value.code == 0
    assert (
        " ".join(["scenic-video", *command]) + " " in capsys.readouterr().out.split("example")[-1]
    )


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["trian"], "train"),
        (["train"], "--config=FILE"),
        (["train", "--config=configs/quickstart.py"], "--workdir=DIR"),
        (["train", "--confg=configs/quickstart.py"], "--confg"),
        (["train", "--config=configs/quikstart.py"], "configs/quickstart.py"),
        (["eval"], "--workdir"),
        (["eval", "--workdir=nowhere"], "holds no trained model"),
        (["eval", "--workdir=nowhere", "--veiws=4x3"], "'--views'"),
        (["eval", "--workdir=nowhere", "--config.seed=1"], "belongs to --weights"),
        (["predict", "--workdir=nowhere"], "VIDEO"),
        (["data", "check", "nothing.csv"], "nothing.csv"),
        (["recipes", "--project=mvt"], "mtv"),
        (["recipes", "--porject=mtv"], "'--project'"),
    ],
)
def test_a_users_error_is_one_message_and_code_2(arguments, words, capsys):
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_a_bug_keeps_its_traceback(monkeypatch):
    def broken(arguments):
        return int("not a number")

    class Verb:
        run = staticmethod(broken)

    monkeypatch.setattr(cli, "parse", lambda argv: Verb)
    with pytest.raises(ValueError):
        cli.main([])


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["data", "synthesize", "--out=clips", "--num-workers=2", "--clips=4"], 0, "clips"),
        (["train", "--config=nothing.py"], 2, "There is no config file 'nothing.py'"),
    ],
)
def test_files_of_the_working_folder_take_the_place_of_no_library(tmp_path, arguments, code, words):
    for name in ("av", "grain", "jax", "queue", "random", "select", "statistics", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('of the working directory')")
    command = [sys.executable, "-m", "scenic_video.cli", *arguments]
    env = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    ended = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=env, timeout=200
    )
    assert ended.returncode == code, ended.stderr
    assert words in ended.stdout + ended.stderr


def test_a_command_leaves_paths_and_environment_as_they_were(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = list(sys.path), dict(os.environ)
    assert cli.main(["train", "--config=nothing.py"]) == 2
    assert (list(sys.path), dict(os.environ)) == before
