import json

import pytest

from scenic_video.data.examples import Example
from scenic_video.data.input.bad_files import BadFile, BadFiles, TooManyBadFiles


def bad_file(name: str) -> BadFile:
    return BadFile(id=name, file=f"clips/{name}.mp4", error="moov atom not found", index=3)


def test_each_bad_example_is_listed_once(tmp_path):
    bad_files = BadFiles(tmp_path / "run" / "bad_files.jsonl", num_examples=1000)
    bad_files.add(bad_file("a"), step=7)
    bad_files.add(bad_file("b"), step=8)
    bad_files.add(bad_file("a"), step=107)
    lines = (tmp_path / "run" / "bad_files.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": name, "file": f"clips/{name}.mp4", "error": "moov atom not found", "index": 3}
        | {"step": step}
        for name, step in [("a", 7), ("b", 8)]
    ]
    assert len(bad_files) == 2


def test_too_many_bad_files_stop_the_run_with_names_and_messages(tmp_path):
    bad_files = BadFiles(tmp_path / "bad_files.jsonl", num_examples=200)
    bad_files.add(bad_file("a"), step=0)
    bad_files.add(bad_file("b"), step=0)
    with pytest.raises(TooManyBadFiles) as error:
        bad_files.add(bad_file("c"), step=1)
    message = str(error.value)
    assert "3 of 200 examples (1.5%)" in message and "accepts 1.0%" in message
    assert "a (clips/a.mp4): moov atom not found" in message and str(tmp_path) in message


def test_resumed_run_continues_the_list(tmp_path):
    path = tmp_path / "bad_files.jsonl"
    BadFiles(path, num_examples=200).add(bad_file("a"), step=0)
    resumed = BadFiles(path, num_examples=200)
    resumed.add(bad_file("a"), step=5)
    assert len(resumed) == 1
    resumed.add(bad_file("b"), step=6)
    with pytest.raises(TooManyBadFiles):
        resumed.add(bad_file("c"), step=7)
    assert len(path.read_text().splitlines()) == 3


def test_incomplete_last_line_is_removed(tmp_path):
    path = tmp_path / "bad_files.jsonl"
    BadFiles(path, num_examples=200).add(bad_file("a"), step=0)
    with path.open("a") as file:
        file.write('{"id": "b", "fi')
    resumed = BadFiles(path, num_examples=200)
    resumed.add(bad_file("c"), step=1)
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["a", "c"]


def test_max_share_zero_accepts_no_bad_file(tmp_path):
    bad_files = BadFiles(tmp_path / "bad_files.jsonl", num_examples=200, max_share=0.0)
    with pytest.raises(TooManyBadFiles):
        bad_files.add(bad_file("a"), step=0)


def test_the_decoders_message_is_kept_without_the_file_name():
    example = Example("a", "clips/a.mp4", {})
    error = ValueError("clips/a.mp4: moov atom not found")
    assert BadFile.of(example, index=3, error=error) == bad_file("a")
    from_bytes = BadFile.of(Example("a", b"", {}), index=3, error=ValueError("a: empty"))
    assert str(from_bytes) == "a (encoded bytes): empty"


@pytest.mark.parametrize("damage", [b"\xff", b"{}", b"[1]", b'{"id"'])
def test_a_damaged_line_is_an_error_with_a_remedy(tmp_path, damage):
    path = tmp_path / "bad_files.jsonl"
    BadFiles(path, num_examples=200).add(bad_file("a"), step=0)
    path.write_bytes(path.read_bytes() + damage + b"\n")
    with pytest.raises(ValueError, match=r"bad_files.jsonl, line 2, is damaged.* Delete this line"):
        BadFiles(path, num_examples=200)
