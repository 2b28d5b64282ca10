import os
import signal
import subprocess
import sys
import textwrap
import time
from typing import Any

import pytest

from scenic_video.data.decoding.deadline import NoAnswer, with_deadline


def test_values_and_errors_are_passed_on():
    assert with_deadline(lambda: 3, 5.0) == 3
    with pytest.raises(ZeroDivisionError):
        with_deadline(lambda: 1 // 0, 5.0)


def test_timeout_error_of_the_call_is_not_the_deadline():
    def fail():
        raise TimeoutError("the disk did not answer")

    with pytest.raises(TimeoutError, match="the disk"):
        with_deadline(fail, 5.0)


def test_hanging_read_is_abandoned(tmp_path):
    path = tmp_path / "silent"
    os.mkfifo(path)
    with pytest.raises(NoAnswer, match=r"no answer within 0\.2 s"):
        with_deadline(path.read_bytes, 0.2)  # it never returns, since nobody writes


def test_hanging_thread_does_not_keep_the_process_alive(tmp_path):
    path = tmp_path / "silent"
    os.mkfifo(path)
    program = f"""
        from scenic_video.data.decoding.deadline import NoAnswer, with_deadline
        try:
            with_deadline(lambda: open({str(path)!r}, "rb").read(), 0.1)
        except NoAnswer:
            print("given up")
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stdout.strip()) == (0, "given up"), result.stderr


def test_time_in_which_the_process_is_suspended_does_not_count():
    """The input arrives while the process is stopped; the call returns 0.1 s after it continues."""
    program = """
        import sys, time
        from scenic_video.data.decoding.deadline import with_deadline
        print("begun", flush=True)
        print(with_deadline(lambda: (sys.stdin.readline(), time.sleep(0.1))[0], 2.0))
    """
    arguments = [sys.executable, "-c", textwrap.dedent(program)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(arguments, **pipes) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.2)
        process.stdin.write("done\n")
        process.stdin.flush()
        process.send_signal(signal.SIGCONT)
        assert process.stdout.readline().strip() == "done"
