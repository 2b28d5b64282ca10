from fractions import Fraction

import av
import numpy as np
import pytest

from scenic_video.data.decoding.audio_track import audio_track
from scenic_video.data.decoding.clock import running
from scenic_video.data.decoding.video_reader import VideoReader

FPS = 25


def rgb(frame):
    return frame.to_ndarray(format="rgb24")


def times_after(seconds):
    """The times of packets with these times after `running`."""
    packets = [av.Packet(b"x") for _ in seconds]
    for packet, time in zip(packets, seconds, strict=True):
        packet.dts = packet.pts = time
        packet.time_base = Fraction(1)
    return [packet.pts for packet in running(packets)]


def test_a_restarted_clock_continues_by_one_step():
    assert times_after([5, 6, 7, 5, 6, 7]) == [5, 6, 7, 8, 9, 10]
    assert times_after([5, 6, 7, 7, 8]) == [5, 6, 7, 7, 8]
    assert times_after([5, 6, 600, 6]) == [5, 6, 600, 600 + 594]


def test_a_wraparound_of_the_clock_in_ffmpeg_is_a_restart():
    circle = 2**33 // 90_000
    assert times_after([500, 501, circle + 3, circle + 4]) == [500, 501, 502, 503]


@pytest.fixture
def joined(tmp_path, moving_frames, write_video):
    """A concatenated stream whose parts start at the times `ticks`."""

    def join(*ticks, **settings):
        parts = []
        for number, first in enumerate(ticks):
            path = tmp_path / f"{number}.ts"
            frames = moving_frames(40, 64, 64, seed=number)
            settings["ticks"] = range(first, first + 40)
            write_video(path, frames, options={"g": "10", "bf": "2"}, **settings)
            parts.append(path)
        path = tmp_path / "joined.ts"
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
        return str(path), [decode(str(part)) for part in parts]

    return join


def decode(path):
    with av.open(str(path), "r") as container:
        return [rgb(frame) for frame in container.decode(video=0)]


@pytest.mark.parametrize("tick", [30, 31, 5, 50])
def test_concatenated_streams_are_shown_one_after_the_other(joined, tick):
    path, (one, other) = joined(30, tick)
    with VideoReader(path) as reader:
        np.testing.assert_allclose(reader.timestamps, np.arange(80) / FPS, atol=1e-3)
        np.testing.assert_array_equal(reader.read(range(80), rgb), one + other)
        np.testing.assert_array_equal(reader.read([50, 20], rgb), [other[10], one[20]])
    with VideoReader(path, start=1.0, end=2.0) as reader:
        np.testing.assert_allclose(reader.timestamps, np.arange(25, 50) / FPS, atol=1e-3)
        np.testing.assert_array_equal(reader.read([0, 24], rgb), [one[25], other[9]])


def test_the_audio_of_concatenated_streams_is_in_sync(joined):
    loud = np.tile(np.sin(np.arange(1600)), 16).astype(np.float32) / 2
    loud[:12800] = 0  # silent for 0.8 s, then loud for 0.8 s
    path, _ = joined(0, 0, audio=loud)
    with VideoReader(path) as reader:
        pieces = audio_track(path, begin=reader.first_time, duration=3.2, rate=16000)
        samples = np.abs(np.concatenate(list(pieces)))
    for silent, middle in ((True, 0.4), (False, 1.2), (True, 2.0), (False, 2.8)):
        window = samples[round((middle - 0.2) * 16000) : round((middle + 0.2) * 16000)]
        assert len(window) == 6400 and (window.mean() < 0.05) == silent


def test_frames_without_times_are_counted_from_the_start_of_the_clock(
    tmp_path, moving_frames, write_video
):
    frames = moving_frames(40, 64, 64)
    source = av.open(str(write_video(tmp_path / "a.mkv", frames, options={"bf": "0"})), "r")
    path = str(tmp_path / "twice.mkv")
    with source, av.open(path, "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(p for p in source.demux(video=0) if p.size):
            packet.pts = packet.dts = 2000 + number // 2 * 80  # each time stands twice
            packet.stream = stream
            container.mux(packet)
    frames = decode(path)
    with VideoReader(path) as reader:
        np.testing.assert_allclose(reader.timestamps, np.arange(40) / FPS, atol=2e-3)
        assert float(reader.first_time) == pytest.approx(2)
        np.testing.assert_array_equal(reader.read(range(40), rgb), frames)
    with VideoReader(path, start=0.8, end=1.2) as reader:
        np.testing.assert_allclose(reader.timestamps, np.arange(20, 30) / FPS, atol=2e-3)
        assert float(reader.first_time) == pytest.approx(2.8)
        np.testing.assert_array_equal(reader.read([0, 9], rgb), [frames[20], frames[29]])
