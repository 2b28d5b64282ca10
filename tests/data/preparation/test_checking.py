import collections
import json
import os
import shutil
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from scenic_video.data import synthetic
from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.data.flow.reading import flow_path
from scenic_video.data.preparation import example_check
from scenic_video.data.preparation.checking import check
from scenic_video.data.preparation.flow import write_flow
from scenic_video.data.preparation.tfds_writer import build_tfds
from scenic_video.data.sources import datasets
from scenic_video.data.synthetic.scenes import ACTIONS


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    directory = tmp_path_factory.mktemp("checking") / "videos"
    return synthetic.synthesize(directory, num_clips=12, size=32, seconds=0.5)


def write_frames(path, times, size=(48, 32)):
    """A video without audio whose frames are shown at `times`, in milliseconds."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"bf": "0"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for time in times:
            pixels = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def turn(path):
    """A display matrix that rotates by 90 degrees."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    one = 1 << 16
    data[matrix : matrix + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))


def check_files(directory, rows, **options):
    """The report on a manifest of these rows, `path,start,end,label`."""
    manifest = directory / "train.csv"
    manifest.write_text("path,start,end,label\n" + "".join(f"{row}\n" for row in rows))
    return check(datasets.manifest({"train": str(manifest)}, **options))


def told(findings):
    return {finding.id: finding.what for finding in findings}


def test_a_good_dataset_has_no_findings(videos):
    dataset = synthetic.dataset(str(videos), num_clips=12, size=32, seconds=0.5)
    seen = []
    report = check(dataset, num_workers=2, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 12) for done in range(1, 13)]
    for findings in (
        report.unreadable,
        report.beyond_end,
        report.without_audio,
        report.rotated,
        report.variable_frame_rate,
        report.without_usable["optical flow"],
        report.shared,
        report.contradictory,
        report.damaged,
        report.wrong_labels,
    ):
        assert list(findings) == []
    assert report.unused_classes == {}
    assert report.verdict() == "All 12 examples can be read."
    train = report.splits["train"]
    assert train.num_examples == 10
    assert train.duration is not None and train.duration.median == pytest.approx(0.5, abs=1e-3)
    assert train.short_side is not None and train.short_side.maximum == 32
    assert train.frame_rate is not None and train.frame_rate.minimum == pytest.approx(12)
    assert train.histogram == {"action": dict.fromkeys(ACTIONS, 1)}


def test_unreadable_files_are_listed_with_the_decoders_message(videos, tmp_path):
    good = (videos / "train/00000.mp4").read_bytes()
    (tmp_path / "good.mp4").write_bytes(good)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "cut.mp4").write_bytes(good[: good.index(b"moov")])
    with av.open(str(tmp_path / "audio.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 16000
        container.mux(stream.encode(silence))
        container.mux(stream.encode())
    names = ("good", "empty", "text", "cut", "audio", "missing")
    report = check_files(tmp_path, [f"{name}.mp4,,,x" for name in names])
    words = told(report.unreadable)
    assert set(words) == {f"{name}.mp4" for name in names[1:]}
    assert "the file is empty" in words["empty.mp4"]
    assert "Invalid data found" in words["text.mp4"]
    assert "no video in it, only audio" in words["audio.mp4"]
    assert "No such file" in words["missing.mp4"]
    assert report.splits["train"].num_unreadable == 5
    assert report.verdict() == "5 of 6 examples cannot be read."
    for finding in report.unreadable:
        assert finding.file in finding.what and finding.split == "train"


def test_audio_rotation_and_frame_rate_are_reported(tmp_path):
    write_frames(tmp_path / "even.mp4", range(0, 1000, 100))
    write_frames(tmp_path / "uneven.mp4", [0, 100, 200, 700, 800, 900])
    write_frames(tmp_path / "turned.mp4", range(0, 1000, 100), size=(64, 32))
    turn(tmp_path / "turned.mp4")
    report = check_files(tmp_path, ["even.mp4,,,x", "uneven.mp4,,,x", "turned.mp4,,,x"])
    assert told(report.without_audio) == dict.fromkeys(
        ["even.mp4", "uneven.mp4", "turned.mp4"], "no audio stream"
    )
    assert set(told(report.variable_frame_rate)) == {"uneven.mp4"}
    assert set(told(report.rotated)) == {"turned.mp4"}
    assert told(report.rotated)["turned.mp4"] in ("90 degrees", "270 degrees")
    assert report.verdict() == "All 3 examples can be read."
    spread = report.splits["train"].duration
    assert spread is not None and spread.maximum == pytest.approx(1.0, abs=0.1)


def test_times_beyond_the_end_of_the_file_are_found(videos, tmp_path):
    shutil.copy(videos / "train/00000.mp4", tmp_path / "a.mp4")
    report = check_files(
        tmp_path, ["a.mp4,0,0.5,x", "a.mp4,0.2,0.9,x", "a.mp4,0.2,3,x", "a.mp4,2,3,x"]
    )
    assert told(report.beyond_end) == {"a.mp4#0.2-3.0": "ends at 3 s, but its file at 0.500 s"}
    assert set(told(report.unreadable)) == {"a.mp4#2.0-3.0"}
    assert "there is no frame" in told(report.unreadable)["a.mp4#2.0-3.0"]


def test_examples_in_two_splits_are_found_by_file_content_and_id(videos, tmp_path):
    for name in ("a", "b", "c"):
        shutil.copy(videos / f"train/0000{'abc'.index(name)}.mp4", tmp_path / f"{name}.mp4")
    shutil.copy(tmp_path / "b.mp4", tmp_path / "renamed.mp4")
    shutil.copy(tmp_path / "b.mp4", tmp_path / "again.mp4")
    (tmp_path / "train.csv").write_text(
        "path,id,label\na.mp4,one,x\nb.mp4,two,x\nc.mp4,three,y\nagain.mp4,four,x\n"
    )
    shutil.copy(videos / "test/00000.mp4", tmp_path / "d.mp4")
    shutil.copy(videos / "test/00001.mp4", tmp_path / "e.mp4")
    (tmp_path / "test.csv").write_text(
        "path,id,label\n./a.mp4,five,x\nrenamed.mp4,six,x\nd.mp4,three,y\ne.mp4,seven,x\n"
    )
    report = check(datasets.open_dataset(tmp_path))
    assert told(report.shared) == {
        "five": "has the file of 'one' in the split 'train'",
        "six": "has the content of 'two' in the split 'train'",
        "three": "has the id of 'three' in the split 'train'",
    }
    assert report.verdict() == (
        "All 8 examples can be read. Possible problems:\n- 3 are in more than one split"
    )


def test_the_same_clip_under_two_labels_is_found_by_its_content(videos, tmp_path):
    shutil.copy(videos / "train/00000.mp4", tmp_path / "a.mp4")
    os.link(tmp_path / "a.mp4", tmp_path / "b.mp4")
    report = check_files(tmp_path, ["a.mp4,,,run", "b.mp4,,,jump", "b.mp4,0,0.3,jump"])
    words = "is 'jump', but 'a.mp4' of the same content is 'run'"
    assert told(report.contradictory) == {"b.mp4": words}
    assert "- 1 have the clip of another example but other labels" in report.verdict()


def test_labels_of_records_that_are_not_classes_are_found(videos, tmp_path):
    example = Example("a", str(videos / "train/00000.mp4"), {"label": (7,)})
    split = collections.UserList([example])
    report = check(Dataset("late", {"train": split}, LabelSpace({"label": ("run", "jump")})))
    assert "the class id 7 is out of range; the 2 classes" in told(report.wrong_labels)["a"]
    assert report.splits["train"].histogram == {"label": {"run": 0, "jump": 0}}


def test_names_that_are_not_text_are_printed_as_text(tmp_path):
    (tmp_path / "train/a").mkdir(parents=True)
    with open(os.path.join(os.fsencode(tmp_path), b"train/a/caf\xe9.mp4"), "wb") as file:
        file.write(b"no video")
    report = check(datasets.open_dataset(tmp_path))
    (finding,) = report.unreadable
    assert "caf\\udce9.mp4: " in finding.what
    json.dumps(report.to_json(), ensure_ascii=False).encode("utf-8")


def test_flow_is_checked_if_there_is_any(videos, tmp_path):
    names = ("good", "none", "stale", "text", "named", "short", "missing")
    for number, name in enumerate(names):
        shutil.copy(videos / f"train/0000{number}.mp4", tmp_path / f"{name}.mp4")
    for name in ("good", "stale"):
        write_flow(str(tmp_path / f"{name}.mp4"), flow_path(tmp_path / f"{name}.mp4"))
    shutil.copy(videos / "train/00007.mp4", tmp_path / "stale.mp4")
    flow_path(tmp_path / "text.mp4").write_text("not a video")
    for name, seconds in (("whole", 0.5), ("half", 0.2)):
        times = np.arange(0, seconds, 0.05)
        np.savez(tmp_path / f"{name}.npz", flow=np.zeros((len(times), 32, 32, 2)), timestamps=times)
    flows = {"named": "whole.npz", "short": "half.npz", "missing": "nowhere.npz"}
    manifest = tmp_path / "train.csv"
    rows = [f"{name}.mp4,{flows.get(name, '')}" for name in names]
    manifest.write_text("\n".join(["path,flow", *rows]))
    report = check(datasets.open_dataset(manifest))
    words = told(report.without_usable["optical flow"])
    assert {name.removesuffix(".mp4") for name in words} == {*names[1:4], "short", "missing"}
    assert "but others do" in words["none.mp4"] and "has changed" in words["stale.mp4"]
    assert "Invalid data" in words["text.mp4"] and "No such file" in words["missing.mp4"]
    assert "covers 0.000 to 0.200 s" in words["short.mp4"]
    assert report.verdict() == (
        "All 7 examples can be read. Possible problems:\n- 5 have no usable optical flow"
    )
    assert "Optical flow that cannot be used: 5" in [title for title, _, _ in report.tables()]


def test_classes_without_examples_are_named(videos, tmp_path):
    shutil.copy(videos / "train/00000.mp4", tmp_path / "a.mp4")
    report = check_files(tmp_path, ["a.mp4,,,run"], classes=["jump", "run", "swim"])
    assert report.unused_classes == {"label": ("jump", "swim")}
    assert report.splits["train"].histogram == {"label": {"jump": 0, "run": 1, "swim": 0}}
    assert "2 classes of 'label' have no example" in report.verdict()


def test_records_are_checked_like_files(videos, tmp_path):
    dataset = synthetic.dataset(str(videos), num_clips=12, size=32, seconds=0.5)
    from_files = check(dataset).to_json()
    records = datasets.tfds(str(build_tfds(dataset, tmp_path / "records")))
    assert check(records).to_json() == from_files


def test_a_file_that_does_not_answer_in_time_counts_as_unreadable(videos, tmp_path, monkeypatch):
    shutil.copy(videos / "train/00000.mp4", tmp_path / "a.mp4")
    monkeypatch.setattr(example_check, "DEADLINE", 1e-6)
    report = check_files(tmp_path, ["a.mp4,,,x"])
    assert told(report.unreadable) == {"a.mp4": "no answer within 1e-06 s"}


def test_a_pipe_counts_as_unreadable(videos, tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")  # waits for a writer that never comes
    shutil.copy(videos / "train/00000.mp4", tmp_path / "a.mp4")
    report = check_files(tmp_path, ["pipe.mp4,,,x", "a.mp4,,,x"])
    assert told(report.unreadable).keys() == {"pipe.mp4"}


def test_the_report_is_json(videos, tmp_path):
    shutil.copy(videos / "train/00000.mp4", tmp_path / "a.mp4")
    (tmp_path / "empty.mp4").write_bytes(b"")
    report = check_files(tmp_path, ["a.mp4,,,x", "empty.mp4,,,y"])
    copy = json.loads(json.dumps(report.to_json()))
    assert copy["splits"]["train"]["histogram"] == {"label": {"x": 1, "y": 1}}
    assert copy["unreadable"][0]["id"] == "empty.mp4"
    assert copy["fingerprint"] == report.fingerprint


def test_tables_cut_long_lists(tmp_path):
    rows = [f"{number}.mp4,,,class {number:02}" for number in range(30)]
    for number in range(30):
        (tmp_path / f"{number}.mp4").write_bytes(b"")
    tables = {title: rows for title, _, rows in check_files(tmp_path, rows).tables()}
    assert len(tables["Unreadable: 30, the first 20 of them"]) == 20
    assert len(tables["Examples by label (the 20 rarest of 30 classes)"]) == 20
    summary = next(iter(tables.values()))
    assert ("examples", "30") in summary and ("seconds", "-") in summary
