"""Two runs never share a folder, and a run that was killed does not lock it."""

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


def test_a_second_run_is_refused_before_it_writes_until_the_first_has_ended(
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
        assert f"process {holder.pid} on host" in left_over and "was interrupted" in left_over
        assert json.loads((workdir / LOCK_FILE).read_text())["process"] == os.getpid()
    assert os.listdir(workdir) == []


def test_a_folder_that_was_created_is_removed_if_empty_and_an_existing_one_stays(tmp_path):
    for workdir in (tmp_path, tmp_path / "a" / "b"):
        with in_use(workdir) as left_over:
            assert left_over == "" and (workdir / LOCK_FILE).exists()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("holder_is", ["here and ended", "here and running", "elsewhere"])
def test_on_a_file_system_without_locks_the_stated_holder_decides(tmp_path, monkeypatch, holder_is):
    def no_locks(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.lockf", no_locks)
    ended = subprocess.Popen(["true"])
    ended.wait()
    host = "another" if holder_is == "elsewhere" else os.uname().nodename
    process = os.getppid() if holder_is == "here and running" else ended.pid
    stated = {"host": host, "process": process, "since": "2026-01-01 10:00:00+00:00"}
    (tmp_path / LOCK_FILE).write_text(json.dumps(stated))
    if holder_is == "here and ended":
        with in_use(tmp_path) as left_over:
            assert "was interrupted" in left_over
        return
    with pytest.raises(ConfigError, match=f"in use by process {process} on host {host}") as error:
        with in_use(tmp_path):
            pass
    assert ("delete" in str(error.value)) == (holder_is == "elsewhere")


@pytest.mark.parametrize(
    ("workdir", "said"),
    [
        ("", "it is empty"),
        ("{tmp}/file", "it exists already"),
        ("{tmp}/file/run", "a part of this path is a file"),
        ("/proc/x", "cannot be created"),
    ],
)
def test_folders_that_cannot_be_written_to_are_refused_at_the_start(
    config, tmp_path, capsys, workdir, said
):
    (tmp_path / "file").write_text("")
    where = workdir.format(tmp=tmp_path)
    assert main(["train", f"--config={config}", f"--workdir={where}"]) == 2
    assert said in capsys.readouterr().err
