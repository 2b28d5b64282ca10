"""Tests of what a terminal shows, on a real pseudo-terminal and in a plain file."""

import io
import os
import re
import threading

import pytest

from scenic_video.commands import console
from scenic_video.commands.console import Terminal
from scenic_video.number_formats import format_seconds, format_value

SCALARS = {
    "train/loss": 1.25,
    "train/accuracy": 0.5,
    "learning_rate": 3e-6,
    "time/steps_per_second": 2.0,
    "time/data_wait_share": 0.031,
}


def printed(show):
    """What `show(terminal)` leaves in a file that is no terminal."""
    file = io.StringIO()
    show(Terminal(file))
    return file.getvalue()


def shown(show):
    """What `show(terminal)` sends to a pseudo-terminal of 100 columns."""
    reader, writer = os.openpty()
    received = bytearray()

    def drain():
        try:
            while chunk := os.read(reader, 1 << 16):
                received.extend(chunk)
        except OSError:  # Linux says so when the other end is closed
            pass

    thread = threading.Thread(target=drain)
    thread.start()
    with os.fdopen(writer, "w") as file:
        show(Terminal(file))
    thread.join()
    os.close(reader)
    return received.decode()


def without_codes(output):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output)


def test_names_do_not_steer_the_terminal_nor_break_its_encoding():
    name = "a\x1b[2J\x1b]0;title\x07\r\udce9\u202eb\x9b.mp4"

    def show(terminal):
        terminal.line(name)
        terminal.banner(name, {name: name})
        terminal.table(name, [name], [[name]])
        with terminal.counting(name) as counting:
            counting(1, 2)

    for said in (printed(show), shown(show)):
        for steering in ("\x1b[2J", "\x1b]0;", "\x07", "\x9b", "\u202e"):
            assert steering not in said
        assert "\\udce9" in said.encode("utf-8").decode()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm-256color")


def train(terminal):
    with terminal.training(num_steps=200, batch_size=16) as progress:
        progress.on_log(50, SCALARS)
        progress.on_log(100, SCALARS | {"train/loss": 0.75})
        progress.on_evaluation(100, {"validation/accuracy": 0.625})


def test_log_step_is_one_plain_line_where_there_is_no_terminal():
    first, second, evaluation = printed(train).splitlines()
    assert re.fullmatch(
        r"step 50/200  loss 1\.25  32\.0 clips/s  3% waiting for data  \d+s left  "
        r"accuracy 0\.5  learning_rate 3e-06",
        first,
    )
    assert "loss 0.75" in second
    assert evaluation == "evaluation at step 100:  validation/accuracy 0.625"


def test_no_control_character_reaches_a_file():
    def everything(terminal):
        train(terminal)
        count(terminal)
        terminal.banner("train", {"config": "x"})
        terminal.table("Results", ("a", "b"), [("c", 1)])

    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\x80-\x9f]", printed(everything))


def test_long_line_is_not_folded():
    assert printed(lambda terminal: terminal.line("word " * 100)).count("\n") == 1


def test_terminal_shows_a_bar_with_loss_speed_waiting_and_time_left():
    output = shown(train)
    text = without_codes(output)
    assert "\x1b[" in output and "━" in text
    assert "100/200" in text
    assert re.search(r"loss 0\.75 · 32\.0 clips/s · 3% waiting for data · \d+s left", text)
    assert "evaluation at step 100:  validation/accuracy 0.625" in text


def test_bar_of_a_resumed_run_begins_where_it_resumes():
    def resume(terminal):
        with terminal.training(num_steps=200, batch_size=16, first_step=150):
            pass

    assert "150/200" in without_codes(shown(resume))


def count(terminal):
    with terminal.counting("evaluating test, 4x3 views") as counted:
        for done in (1, 2, 3):
            counted(done, 3)


def test_counting_is_a_bar_on_a_terminal():
    text = without_codes(shown(count))
    assert "evaluating test, 4x3 views" in text and "3/3" in text and "0s left" in text


def test_counting_says_where_it_is_now_and_then_where_there_is_no_terminal(monkeypatch):
    assert printed(count) == ""
    monkeypatch.setattr(console, "COUNT_EVERY_SECONDS", -1)
    lines = printed(count).splitlines()
    assert [line.rsplit("  ")[0] for line in lines] == [
        f"evaluating test, 4x3 views: {done}/3" for done in (1, 2, 3)
    ]


def test_counting_within_training_has_a_bar_of_its_own():
    def both(terminal):
        with terminal.training(num_steps=200, batch_size=16) as progress:
            progress.on_log(50, SCALARS)
            count(terminal)
            progress.on_log(100, SCALARS)
        terminal.line("done")
        count(terminal)

    text = without_codes(shown(both))
    assert "evaluating test, 4x3 views" in text and "100/200" in text
    assert text.index("done") > text.index("100/200")


def test_banner_names_every_value():
    output = printed(lambda terminal: terminal.banner("train", {"model": "ViViT-B", "steps": 1000}))
    title, model, steps = output.split("\n")[:3]
    assert title.startswith("train ")
    assert re.fullmatch(r"model +ViViT-B *", model) and re.fullmatch(r"steps +1,000 *", steps)


def test_table_sets_numbers_flush_right_and_text_flush_left():
    rows = [("[bold]", 0.5), ("walk", 1234.5)]
    lines = printed(lambda terminal: terminal.table("Results", ("class", "score"), rows)).split(
        "\n"
    )
    bold = next(line for line in lines if "[bold]" in line)
    walk = next(line for line in lines if "walk" in line)
    assert bold.index("[bold]") == walk.index("walk")
    assert bold.rstrip().endswith("0.5") and walk.rstrip().endswith("1,234")
    assert len(bold.rstrip()) == len(walk.rstrip())


def test_long_cell_is_folded_and_not_cut():
    name = "verylongclassname" * 12
    output = printed(lambda terminal: terminal.table("Results", ("class", "n"), [(name, 1)]))
    assert name in re.sub(r"\s|1", "", output)


def test_results_name_every_metric():
    output = printed(lambda terminal: terminal.results("Test", {"accuracy": 0.25, "mAP": 1 / 3}))
    assert re.search(r"accuracy +0\.25", output) and re.search(r"mAP +0\.3333", output)


def test_quiet_terminal_prints_nothing():
    file = io.StringIO()
    terminal = Terminal(file, quiet=True)
    train(terminal)
    terminal.banner("train", {"a": 1})
    terminal.table("t", ("a",), [(1,)])
    assert file.getvalue() == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0003, "0.0003"),
        (1.5e-6, "1.5e-06"),
        (12345.6, "12,346"),
        (7, "7"),
        (True, "True"),
        (float("nan"), "nan"),
        ("x", "x"),
    ],
)
def test_numbers_keep_the_digits_that_mean_something(value, text):
    assert format_value(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(42, "42s"), (187, "3:07"), (7387, "2:03:07"), (439387, "5d 2:03:07"), (59.7, "1:00")],
)
def test_time_is_written_as_people_write_it(seconds, text):
    assert format_seconds(seconds) == text
