"""Signals that ask for a stop, by real signals to this process."""

import os
import signal
import subprocess
import sys

import pytest

from scenic_video.preemption import Stopped, StopRequest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_ask_for_a_stop_and_print_nothing_through_buffers(number, capsys):
    with StopRequest() as stop:
        assert not stop(1)
        stop.check()
        os.kill(os.getpid(), number)
        assert stop(2)
        with pytest.raises(Stopped):
            stop.check()
    assert capsys.readouterr() == ("", "")  # what a print that is interrupted would refuse


def test_a_second_interrupt_stops_at_once():
    with pytest.raises(KeyboardInterrupt), StopRequest():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_under_nohup_a_closed_terminal_is_no_stop():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop(1)
    finally:
        signal.signal(signal.SIGHUP, before)


TALKS = """
import time
from scenic_video.preemption import StopRequest
with StopRequest() as stop:
    while not stop(1):
        print("training", flush=True)
        time.sleep(0.01)
    print("saved", flush=True)
raise SystemExit(75)
"""


def test_a_terminal_that_is_closed_does_not_keep_a_run_from_saving():
    ours, theirs = os.openpty()
    attach = f"import os, fcntl, termios; fcntl.ioctl(1, termios.TIOCSCTTY, 0)\n{TALKS}"
    process = subprocess.Popen(
        [sys.executable, "-c", attach], stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    while b"training" not in os.read(ours, 100):
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 75
