import os

import av
import numpy as np
import pytest

from scenic_video.data.decoding.video_info import inspect
from scenic_video.data.decoding.video_reader import UnreadableVideo, VideoReader
from scenic_video.data.preparation.jobs import Job
from scenic_video.data.preparation.transcoding import stored_size, transcode, transcode_many

RATE = 16_000


def rgb(frame):
    return frame.to_ndarray(format="rgb24")


def read_all(path):
    with VideoReader(path) as reader:
        return reader.read(range(len(reader.timestamps)), rgb)


def audio_of(path: str):
    """The audio samples of a file from time 0, and the time of the first one."""
    with av.open(path, "r") as container:
        frames = list(container.decode(audio=0))
    assert {frame.sample_rate for frame in frames} == {RATE}
    assert {frame.layout.name for frame in frames} == {"mono"}
    return np.concatenate([f.to_ndarray()[0] for f in frames]), frames[0].time


@pytest.fixture
def video(tmp_path, moving_frames, write_video):
    return write_video(tmp_path / "v.mp4", moving_frames(50, 96, 160), options={"g": "50"})


@pytest.fixture
def destination(tmp_path):
    return str(tmp_path / "out" / "w.mp4")


def test_frames_are_smaller_and_keyframes_frequent(video, destination: str):
    assert transcode(video, destination, short_side=48, gop=10)
    info = inspect(destination)
    assert (info.height, info.width, info.codec) == (48, 80, "h264")
    with av.open(destination, "r") as container:
        keys = [number for number, p in enumerate(container.demux(video=0)) if p.is_keyframe]
    assert len(keys) >= 5 and max(np.diff(keys)) <= 10


def test_frames_remain_similar(video, destination):
    transcode(video, destination, crf=10)
    error = np.abs(read_all(destination).astype(int) - read_all(video))
    assert error.mean() < 4


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "avi", "ts"])
def test_every_frame_keeps_its_time(tmp_path, moving_frames, write_video, destination, suffix):
    codec = {"webm": "libvpx-vp9", "avi": "mpeg4"}.get(suffix, "libx264")
    options = {"deadline": "realtime", "cpu-used": "8"} if suffix == "webm" else {"bf": "2"}
    source = write_video(
        tmp_path / f"v.{suffix}", moving_frames(30), fps=30, codec=codec, options=options
    )
    transcode(source, destination)
    before, after = inspect(source), inspect(destination)
    np.testing.assert_allclose(after.timestamps, before.timestamps, atol=1e-9)
    assert after.duration == pytest.approx(before.duration, abs=1e-3)


def test_a_variable_frame_rate_is_kept(tmp_path, moving_frames, write_video, destination):
    ticks = [3, 4, 5, 13, 14, 33, 34, 35, 36, 53]
    source = write_video(tmp_path / "vfr.mkv", moving_frames(10), ticks=ticks)
    transcode(source, destination)
    expected = (np.array(ticks) - 3) / 25
    np.testing.assert_allclose(inspect(destination).timestamps, expected, atol=1e-9)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_applied(tmp_path, moving_frames, write_video, destination, rotation):
    frames = moving_frames(4, 64, 96)
    source = write_video(tmp_path / "turned.mp4", frames, rotation=rotation)
    transcode(source, destination, crf=5)
    info = inspect(destination)
    upright = np.rot90(frames, -rotation // 90, axes=(1, 2)).astype(int)
    assert (info.height, info.width, info.rotation) == (*upright.shape[1:3], 0)
    assert np.abs(read_all(destination) - upright).mean() < 20


def test_a_part_is_transcoded(video, destination):
    transcode(video, destination, start=0.4, end=1.2, crf=5)
    np.testing.assert_allclose(inspect(destination).timestamps, np.arange(20) / 25, atol=1e-9)
    error = np.abs(read_all(destination).astype(int) - read_all(video)[10:30])
    assert error.mean() < 4


def test_audio_stays_in_sync(tmp_path, moving_frames, write_video, destination):
    clicks = np.zeros(2 * RATE, np.float32)
    clicks[[4_000, 20_000]] = 1.0
    source = write_video(tmp_path / "v.mkv", moving_frames(50), audio=clicks)
    for start, end, first in ((0.0, None, 4_000), (0.6, 1.8, 20_000 - 9_600)):
        transcode(source, destination, overwrite=True, start=start, end=end)
        samples, begin = audio_of(destination)
        assert begin == pytest.approx(0, abs=1e-6)
        assert np.argmax(np.abs(samples[: first + 2_000])) == pytest.approx(first, abs=400)
        assert len(samples) == pytest.approx(inspect(destination).duration * RATE, abs=1_024)


def test_audio_can_be_left_out(tmp_path, moving_frames, write_video, destination):
    audio = np.zeros(RATE, np.float32)
    source = write_video(tmp_path / "v.mp4", moving_frames(10), audio=audio)
    assert inspect(source).has_audio
    transcode(source, destination, audio_rate=None)
    assert not inspect(destination).has_audio


def test_a_video_without_audio_has_none_afterwards(video, destination):
    transcode(video, destination)
    assert not inspect(destination).has_audio


def test_an_existing_file_is_kept(video, destination):
    assert transcode(video, destination)
    before = os.stat(destination).st_mtime_ns
    assert not transcode(video, destination)
    assert os.stat(destination).st_mtime_ns == before
    assert transcode(video, destination, overwrite=True)
    assert os.stat(destination).st_mtime_ns > before


def test_a_failure_leaves_nothing_behind(video, destination, tmp_path):
    with pytest.raises(UnreadableVideo, match="cannot be transcoded"):
        transcode(video, destination, preset="no such preset")
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    with pytest.raises(UnreadableVideo, match="broken.mp4"):
        transcode(str(broken), destination)
    assert os.listdir(os.path.dirname(destination)) == []


@pytest.mark.parametrize("num_workers", [0, 1])
def test_many_files_are_transcoded_and_failures_reported(video, tmp_path, num_workers):
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    there = tmp_path / "out" / "there.mp4"
    transcode(video, there)
    jobs = [
        Job(video, str(tmp_path / "out" / "a.mp4")),
        Job(video, str(tmp_path / "out" / "b.mp4"), start=0.4, end=0.8),
        Job(str(broken), str(tmp_path / "out" / "c.mp4")),
        Job(video, str(there)),
    ]
    results = {r.job: r for r in transcode_many(jobs, num_workers=num_workers, short_side=48)}
    assert set(results) == set(jobs)
    assert [results[job].was_written for job in jobs] == [True, True, False, False]
    assert [bool(results[job].error) for job in jobs] == [False, False, True, False]
    assert "broken.mp4: Invalid data" in results[jobs[2]].error
    assert inspect(jobs[0].destination).height == 48
    assert len(inspect(jobs[1].destination).timestamps) == 10
    assert sorted(os.listdir(tmp_path / "out")) == ["a.mp4", "b.mp4", "there.mp4"]


def test_stored_sizes_are_even_and_never_larger():
    assert stored_size(720, 1280, short_side=256) == (256, 456)
    assert stored_size(1280, 720, short_side=256) == (456, 256)
    assert stored_size(240, 320, short_side=256) == (240, 320)
    assert stored_size(1, 1, short_side=256) == (2, 2)
