"""Tests of metrics.jsonl and the TensorBoard events."""

import json
import resource
import struct
import time

import jax.numpy as jnp
import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]

from scenic_video.writers import MetricWriter, json_of, read_metrics


def without_time(rows):
    return [{name: value for name, value in row.items() if name != "time"} for row in rows]


def events(workdir):
    """All events of a workdir, read from the TFRecord framing: length, its crc, data, its crc."""
    found = []
    for path in sorted((workdir / "tensorboard").iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            found.append(Event.FromString(data[12 : 12 + length]))
            data = data[16 + length :]
    return found


def test_a_row_is_one_json_object_on_one_line(tmp_path):
    before = time.time()
    with MetricWriter(tmp_path / "new" / "run") as writer:
        writer.write(10, {"train/loss": 0.5, "learning_rate": jnp.float32(0.25)})
        writer.write(20, {"train/loss": np.float64(0.125)})
    lines = (tmp_path / "new" / "run" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert without_time(rows) == [
        {"step": 10, "train/loss": 0.5, "learning_rate": 0.25},
        {"step": 20, "train/loss": 0.125},
    ]
    assert before - 1 <= rows[0]["time"] <= rows[1]["time"] <= time.time() + 1


def test_a_row_is_on_disk_before_the_writer_closes(tmp_path):
    writer = MetricWriter(tmp_path)
    writer.write(1, {"loss": 2.0})
    assert read_metrics(tmp_path)[0]["loss"] == 2.0
    writer.close()


def test_resumed_run_leaves_the_rows_of_a_straight_run(tmp_path):
    def run(workdir, steps, **resume):
        with MetricWriter(workdir, **resume) as writer:
            for step in steps:
                writer.write(step, {"loss": 1 / step})
                if step % 4 == 0:
                    writer.write(step, {"validation/accuracy": step / 100})

    run(tmp_path / "straight", range(1, 13))
    run(tmp_path / "resumed", range(1, 8))  # cut off at 7; the last checkpoint is that of step 4
    run(tmp_path / "resumed", range(5, 13), resume_step=4)
    straight, resumed = (read_metrics(tmp_path / name) for name in ("straight", "resumed"))
    assert without_time(resumed) == without_time(straight)


def test_run_that_starts_over_drops_the_rows_of_the_one_before(tmp_path):
    for value in (1.0, 2.0):
        with MetricWriter(tmp_path) as writer:
            writer.write(1, {"loss": value})
    assert [row["loss"] for row in read_metrics(tmp_path)] == [2.0]


def test_line_cut_off_by_a_kill_does_not_spoil_the_file(tmp_path):
    with MetricWriter(tmp_path) as writer:
        writer.write(1, {"loss": 1.0})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    assert [row["step"] for row in read_metrics(tmp_path)] == [1]
    with MetricWriter(tmp_path, resume_step=1) as writer:
        writer.write(2, {"loss": 0.5})
    assert [row["step"] for row in read_metrics(tmp_path)] == [1, 2]


def test_damaged_line_is_named(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\nhello\n{"step": 3}\n')
    with pytest.raises(ValueError, match="line 2"):
        read_metrics(tmp_path)


def test_folder_without_metrics_has_no_rows(tmp_path):
    assert read_metrics(tmp_path) == []


def test_value_that_is_not_finite_is_null_in_json(tmp_path):
    with MetricWriter(tmp_path) as writer:
        writer.write(1, {"loss": float("nan"), "norm": float("inf"), "good": 1})
    assert without_time(read_metrics(tmp_path)) == [
        {"step": 1, "loss": None, "norm": None, "good": 1.0}
    ]


def test_tensorboard_gets_every_scalar_at_its_step(tmp_path):
    with MetricWriter(tmp_path) as writer:
        writer.write(10, {"train/loss": 0.5, "clips_per_second": 8.0})
    scalars = {
        (value.tag, event.step): value.simple_value
        for event in events(tmp_path)
        for value in event.summary.value
    }
    assert scalars == {("train/loss", 10): 0.5, ("clips_per_second", 10): 8.0}


def test_resumed_run_hides_repeated_steps_from_tensorboard(tmp_path):
    MetricWriter(tmp_path, resume_step=4).close()
    (start,) = [event for event in events(tmp_path) if event.HasField("session_log")]
    assert start.step == 5


@pytest.mark.parametrize(
    ("scalars", "message"),
    [({"step": 1.0}, "'step'"), ({"time": 1.0}, "'time'"), ({"loss": np.ones(3)}, "one number")],
)
def test_what_is_no_scalar_is_refused(tmp_path, scalars, message):
    with MetricWriter(tmp_path) as writer, pytest.raises(ValueError, match=message):
        writer.write(1, scalars)


def test_only_process_0_writes(tmp_path, monkeypatch):
    monkeypatch.setattr("jax.process_index", lambda: 1)
    with MetricWriter(tmp_path / "run") as writer:
        writer.write(1, {"loss": 1.0})
        writer.flush()
    assert not (tmp_path / "run").exists()


def test_json_has_null_for_numbers_that_are_not_finite_wherever_they_stand():
    value = {"top1": 0.5, "rows": [{"loss": float("nan")}, (np.float64("inf"), 3)], "name": "nan"}
    assert json.loads(json_of(value, indent=2)) == {
        "top1": 0.5, "rows": [{"loss": None}, [None, 3]], "name": "nan",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["metrics.jsonl", "tensorboard"])
def test_a_full_disk_is_an_error_that_names_the_file_and_nothing_hangs(tmp_path, name):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(OSError, match="too large") as error, MetricWriter(tmp_path) as writer:
        events = writer._events
        assert events is not None
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
        try:
            for step in range(1000):
                if name == "tensorboard":
                    events.add(step, {"loss": 1.0}, 0.0)
                else:
                    writer.write(step, {"loss": 1.0})
                writer.flush()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert name in error.value.filename


@pytest.mark.parametrize("damage", [b"\xff", b"{}", b"3"])
def test_a_damaged_row_is_named(tmp_path, damage):
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1}\n' + damage + b"\n")
    with pytest.raises(ValueError, match="line 2, is not a JSON object with a step"):
        read_metrics(tmp_path)
