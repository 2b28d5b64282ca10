"""Two runs never share a folder, and one that was cut off leaves it free."""

import json
import os
import signal
import subprocess
import sys

import pytest

from scenic_video.cli import main
from scenic_video.config import ConfigError
from scenic_video.runs.workdir.lock import LOCK_FILE, in_use

HOLD = """
import signal, sys
from pathlib import Path
from scenic_video.runs.workdir.lock import in_use
with in_use(Path(sys.argv[1])):
    print("held", flush=True)
    signal.pause()
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "run"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_run_is_refused_before_it_writes_until_the_first_is_gone(
    config, holder, tmp_path, capsys
):
    workdir = tmp_path / "run"
    assert main(["train", f"--config={config}", f"--workdir={workdir}"]) == 2
    said = capsys.readouterr().err
    assert f"run is in use by process {holder.pid} on host" in said and "since 20" in said
    assert os.listdir(workdir) == [LOCK_FILE]

    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with in_use(workdir) as left_over:
        assert f"process {holder.pid} on host" in left_over and "was cut off" in left_over
        assert json.loads((workdir / LOCK_FILE).read_text())["process"] == os.getpid()
    assert os.listdir(workdir) == []


def test_a_folder_that_was_made_in_vain_is_removed_and_one_that_was_there_stays(tmp_path):
    for workdir in (tmp_path, tmp_path / "a" / "b"):
        with in_use(workdir) as left_over:
            assert left_over == "" and (workdir / LOCK_FILE).exists()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("holder_is", ["here and over", "here and running", "elsewhere"])
def test_without_locks_of_the_file_system_the_note_decides(tmp_path, monkeypatch, holder_is):
    def no_locks(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.lockf", no_locks)
    over = subprocess.Popen(["true"])
    over.wait()
    host = "another" if holder_is == "elsewhere" else os.uname().nodename
    process = os.getppid() if holder_is == "here and running" else over.pid
    note = {"host": host, "process": process, "since": "2026-01-01 10:00:00+00:00"}
    (tmp_path / LOCK_FILE).write_text(json.dumps(note))
    if holder_is == "here and over":
        with in_use(tmp_path) as left_over:
            assert "was cut off" in left_over
        return
    with pytest.raises(ConfigError, match=f"in use by process {process} on host {host}") as error:
        with in_use(tmp_path):
            pass
    assert ("delete" in str(error.value)) == (holder_is == "elsewhere")


@pytest.mark.parametrize(
    ("workdir", "said"),
    [
        ("", "it is empty"),
        ("{tmp}/file", "it is there already"),
        ("{tmp}/file/run", "a part of this path is a file"),
        ("/proc/x", "cannot be made"),
    ],
)
def test_places_that_cannot_be_written_to_are_told_before_the_work(
    config, tmp_path, capsys, workdir, said
):
    (tmp_path / "file").write_text("")
    where = workdir.format(tmp=tmp_path)
    assert main(["train", f"--config={config}", f"--workdir={where}"]) == 2
    assert said in capsys.readouterr().err
