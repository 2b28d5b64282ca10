import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import grain
import numpy as np
import pytest

from scenic_video.data.input.read_ahead import MAX_THREADS, default_threads, read_ahead
from scenic_video.data.input.rows import BatchRow


def row_of(element: int) -> BatchRow:
    return BatchRow({"inputs": {"element": np.array(element)}, "mask": np.float32(1.0)})


def elements_of(steps) -> list[list[int]]:
    return [arrays["inputs"]["element"].tolist() for arrays, _ in steps]


@pytest.mark.parametrize("num_threads", [1, 3, 16])
def test_step_holds_its_elements_in_the_order_of_the_rows(num_threads):
    elements = grain.MapDataset.range(22).map(row_of)
    steps = read_ahead(elements, batch_size=5, rows=[3, 0], start_step=1, num_threads=num_threads)
    assert elements_of(steps) == [[8, 5], [13, 10], [18, 15]]


@pytest.mark.parametrize(("num_rows", "num_threads"), [(1, 4), (8, 4), (3, 6), (8, 1)])
def test_all_threads_load_at_once_and_few_batches_wait(num_rows, num_threads):
    lock, busy, most, started = threading.Lock(), set(), [0], set()

    def load(element: int) -> BatchRow:
        with lock:
            busy.add(element)
            started.add(element)
            most[0] = max(most[0], len(busy))
        time.sleep(0.01)
        with lock:
            busy.remove(element)
        return row_of(element)

    elements = grain.MapDataset.range(1000 * num_rows).map(load)
    rows = range(num_rows)
    steps = read_ahead(elements, batch_size=num_rows, rows=rows, num_threads=num_threads)
    for _ in range(6):
        next(steps)
    time.sleep(0.2)
    steps.close()
    assert num_threads <= most[0] <= num_threads + 1
    assert len(started) <= num_rows * (6 + max(2, num_threads // num_rows) + 1)


def test_error_of_a_element_reaches_the_caller():
    def load(element: int) -> BatchRow:
        raise ValueError(f"element {element} is no clip")

    elements = grain.MapDataset.range(4).map(load)
    with pytest.raises(ValueError, match="is no clip"):
        next(read_ahead(elements, batch_size=2, rows=[0, 1]))


def test_processes_share_the_cores():
    cores = os.cpu_count() or 1
    assert default_threads(0) == default_threads(1) == min(MAX_THREADS, cores)
    assert default_threads(10 * cores) == 1


def test_impossible_thread_counts_are_refused():
    elements = grain.MapDataset.range(4).map(row_of)
    for settings in (dict(num_threads=0), dict(num_workers=-1)):
        with pytest.raises(ValueError, match="num_threads must be at least 1"):
            read_ahead(elements, batch_size=2, rows=[0], **settings)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads /proc")
def test_workers_end_when_their_parent_is_killed():
    program = """
        import multiprocessing, time
        import grain, numpy
        from scenic_video.data.input.rows import BatchRow
        from scenic_video.data.input.read_ahead import read_ahead

        if __name__ == "__main__":
            numbers = grain.MapDataset.range(1 << 40)
            elements = numbers.map(lambda i: BatchRow({"i": numpy.array(i)}))
            steps = read_ahead(elements, batch_size=2, rows=[0, 1], num_workers=2)
            next(steps)
            print(*[process.pid for process in multiprocessing.active_children()], flush=True)
            time.sleep(1000)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert parent.stdout is not None
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2 and all(map(_is_running, workers))
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 20
    while any(map(_is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(_is_running, workers))


def _is_running(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
