import io
import os

import av
import numpy as np
import pytest
from av.error import InvalidDataError

from scenic_video.data.decoding import containers, frame_decoder, packets
from scenic_video.data.decoding.video_info import inspect
from scenic_video.data.decoding.video_reader import UnreadableVideo, VideoReader

CODECS = {
    "closed_gop.mp4": dict(options={"g": "20", "bf": "3"}),
    "open_gop.mp4": dict(options={"g": "20", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}),
    "no_keyframes.mp4": dict(options={"x264-params": "intra-refresh=1:keyint=20"}),
    "late_keyframes.mp4": dict(options={"g": "250"}),
    "h264.mkv": dict(options={"g": "20", "bf": "3"}),
    "h264.ts": dict(options={"g": "20", "bf": "3"}),
    "h264.avi": dict(options={"g": "20", "bf": "3"}),
    "raw.h264": dict(options={"g": "20", "bf": "3"}),
    "hevc.mp4": dict(
        codec="libx265",
        options={"x265-params": "keyint=20:open-gop=1:bframes=3:log-level=none:pools=none"},
    ),
    "vp9.webm": dict(
        codec="libvpx-vp9",
        options={"g": "20", "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "12"},
    ),
    "mpeg4.mp4": dict(codec="mpeg4", options={"g": "20", "bf": "2"}),
    "mpeg4.avi": dict(codec="mpeg4", options={"g": "20", "bf": "2"}),
    "mpeg4_no_b_frames.avi": dict(codec="mpeg4", options={"g": "12"}),
    "mpeg2.mpg": dict(codec="mpeg2video", options={"g": "12", "bf": "2"}),
    "bgr_odd.mp4": dict(codec="libx264rgb", pixel_format="bgr24", size=(75, 101)),
    "bgr_odd.mkv": dict(codec="ffv1", pixel_format="bgr0", size=(75, 101)),
    "yuv444_odd.mp4": dict(pixel_format="yuv444p", size=(75, 101), options={"g": "20"}),
}
NUM_FRAMES = 60
FPS = 25


@pytest.fixture(scope="session")
def make(tmp_path_factory, moving_frames, write_video):
    """Writes a file of CODECS once and returns its path."""
    folder = tmp_path_factory.mktemp("codecs")

    def make_once(name):
        if not (folder / name).exists():
            settings = dict(CODECS[name])
            frames = moving_frames(NUM_FRAMES, *settings.pop("size", (64, 96)))
            write_video(folder / name, frames, fps=FPS, **settings)
        return str(folder / name)

    return make_once


def rgb(frame):
    return frame.to_ndarray(format="rgb24")


def decode_everything(path: str):
    """All frames, decoded from the first packet to the last."""
    frames = []
    with av.open(path, "r") as container:
        for packet in container.demux(video=0):
            try:
                frames += [rgb(frame) for frame in packet.decode()]
            except InvalidDataError:
                pass
    return np.stack(frames)


def read(source, indices=None, **window):
    with VideoReader(source, **window) as reader:
        return reader.read(range(len(reader.timestamps)) if indices is None else indices, rgb)


@pytest.mark.parametrize("name", CODECS)
def test_clips_equal_a_full_decode_bit_for_bit(make, name):
    path = make(name)
    everything = decode_everything(path)
    assert len(everything) == NUM_FRAMES
    for start in range(0, NUM_FRAMES, 11):
        for count, stride in ((1, 1), (8, 2), (4, 17)):
            indices = np.minimum(start + np.arange(count) * stride, NUM_FRAMES - 1)
            np.testing.assert_array_equal(read(path, indices), everything[indices])


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("start, end", [(0.0, 0.52), (0.5, 1.0), (0.97, 1.5), (1.6, None)])
def test_windows_equal_a_full_decode_bit_for_bit(make, name, start, end):
    times = np.arange(NUM_FRAMES) / FPS
    inside = (times + 1 / FPS > start + 1e-6) & (times < (end or 99) - 1e-6)
    path = make(name)
    with VideoReader(path, start=start, end=end) as reader:
        # AVI stores frame numbers: times are multiples of its time base.
        atol = float(reader.time_base) if name.endswith(".avi") else 1e-3
        on_screen = np.maximum(times[inside], start)
        np.testing.assert_allclose(reader.timestamps, on_screen, atol=atol)
    np.testing.assert_array_equal(read(path, start=start, end=end), decode_everything(path)[inside])


@pytest.mark.parametrize("name", ["open_gop.mp4", "no_keyframes.mp4", "h264.ts", "mpeg4.avi"])
def test_files_too_large_for_memory_are_read_as_exactly(make, name, monkeypatch):
    monkeypatch.setattr(packets, "MEMORY", 0)
    path = make(name)
    everything = decode_everything(path)
    for start in range(0, NUM_FRAMES - 16, 9):
        indices = start + np.arange(8) * 2
        np.testing.assert_array_equal(read(path, indices), everything[indices])
    np.testing.assert_array_equal(read(path, start=1.6), everything[40:])


def test_frames_are_read_in_any_order_and_repeatedly(make):
    path = make("open_gop.mp4")
    indices = [41, 3, 3, 59, 0, 41]
    np.testing.assert_array_equal(read(path, indices), decode_everything(path)[indices])


def test_one_reader_reads_more_than_once(make, monkeypatch):
    for memory in (packets.MEMORY, 0):
        monkeypatch.setattr(packets, "MEMORY", memory)
        for name in ("open_gop.mp4", "no_keyframes.mp4", "h264.avi"):
            everything = decode_everything(make(name))
            with VideoReader(make(name)) as reader:
                for indices in ([50, 52], [7, 9], [50], list(range(NUM_FRAMES))):
                    np.testing.assert_array_equal(reader.read(indices, rgb), everything[indices])


def test_bytes_are_read_like_files(make):
    path = make("closed_gop.mp4")
    with open(path, "rb") as file:
        encoded = file.read()
    np.testing.assert_array_equal(read(encoded, [5, 30]), read(path, [5, 30]))


def test_all_frames_come_with_the_times_of_the_file(make):
    path = make("closed_gop.mp4")
    with VideoReader(path, start=0.5, end=1.0) as reader:
        ticks, frames = zip(*reader.frames(), strict=True)
        times = [float(tick * reader.time_base) for tick in ticks]
        frames = [rgb(frame) for frame in frames]
    np.testing.assert_allclose(times, [0.5, *np.arange(13, 25) / FPS])
    np.testing.assert_array_equal(frames, decode_everything(path)[12:25])


def test_a_window_reads_little_of_a_long_file(tmp_path, moving_frames, write_video, monkeypatch):
    path = tmp_path / "long.mp4"
    frames = np.tile(moving_frames(50, 48, 64), (24, 1, 1, 1))
    write_video(path, frames, options={"g": "25", "preset": "ultrafast", "crf": "10"})
    bytes_read = 0

    class CountingFile(io.FileIO):
        def read(self, size=-1):
            nonlocal bytes_read
            data = super().read(size)
            bytes_read += len(data)
            return data

    with CountingFile(path) as file:
        monkeypatch.setattr(containers, "open_container", lambda source: av.open(file, "r"))
        clip = read(str(path), start=40.0, end=41.0)
    assert 0 < bytes_read < os.path.getsize(path) / 5
    np.testing.assert_array_equal(clip, decode_everything(str(path))[1000:1025])


def test_a_video_is_described(make):
    info = inspect(make("closed_gop.mp4"))
    np.testing.assert_allclose(info.timestamps, np.arange(NUM_FRAMES) / FPS)
    assert (info.height, info.width, info.rotation) == (64, 96, 0)
    assert info.duration == pytest.approx(NUM_FRAMES / FPS)
    assert info.fps == pytest.approx(FPS)
    assert info.codec == "h264"
    assert not info.is_variable_frame_rate
    assert not info.has_audio


def test_part_of_a_video_is_described(make):
    info = inspect(make("closed_gop.mp4"), start=0.5, end=1.0)
    assert (len(info.timestamps), info.timestamps[0]) == (13, pytest.approx(0.5))
    assert info.duration == pytest.approx(0.5)
    assert not info.is_variable_frame_rate


@pytest.mark.parametrize("name", CODECS)
def test_constant_frame_rates_are_not_variable(make, name):
    info = inspect(make(name))
    assert not info.is_variable_frame_rate
    assert info.fps == pytest.approx(FPS, rel=0.01)
    assert len(info.timestamps) == NUM_FRAMES


@pytest.mark.parametrize("name", ["mpeg4.mp4", "mpeg2.mp4", "h263.3gp", "h264.mp4", "hevc.mp4"])
def test_false_keyframe_marks_change_no_frame(
    tmp_path, moving_frames, write_video, name, monkeypatch
):
    monkeypatch.setattr(frame_decoder, "LONGEST_REFRESH", 0.2)
    encoders = {"mpeg2": "mpeg2video", "h263": "h263", "hevc": "libx265", "h264": "libx264"}
    codec, options = encoders.get(name.split(".")[0], "mpeg4"), {"g": "40"}
    if codec == "libx265":
        options = {"x265-params": "keyint=40:bframes=3:log-level=none:pools=none"}
    honest = write_video(
        tmp_path / f"honest_{name}", moving_frames(50, 96, 128), codec=codec, options=options
    )
    path = str(tmp_path / name)
    source = av.open(str(honest), "r")
    with source, av.open(path, "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.is_keyframe, packet.stream = True, stream
                container.mux(packet)
    everything = decode_everything(honest)
    with VideoReader(path) as reader:
        for indices in ([33], [12, 30], [49]):
            np.testing.assert_array_equal(reader.read(indices, rgb), everything[indices])
    np.testing.assert_array_equal(read(path, start=1.2, end=1.4), everything[30:35])


def test_the_last_frame_of_a_slide_show_lasts_as_long_as_its_audio(
    tmp_path, moving_frames, write_video
):
    slides = moving_frames(2, 64, 64)
    path = write_video(
        tmp_path / "slides.mp4", slides, ticks=[0, 100], audio=np.zeros(16000 * 10, np.float32)
    )
    frames = decode_everything(path)
    with VideoReader(path, start=7, end=9) as reader:
        assert (reader.timestamps.tolist(), reader.finish) == ([7.0], 9.0)
        np.testing.assert_array_equal(reader.read([0], rgb), frames[1:])
    with pytest.raises(UnreadableVideo, match="no frame from 12 s to 13 s"):
        VideoReader(path, start=12, end=13)


def test_a_stream_without_a_first_keyframe_starts_with_its_first_decodable_frame(
    tmp_path, moving_frames, write_video
):
    options = {"g": "20", "bf": "2", "x264-params": "repeat-headers=1"}
    whole = write_video(tmp_path / "whole.ts", moving_frames(60, 64, 64), options=options)
    path = str(tmp_path / "cut.ts")
    source = av.open(str(whole), "r")
    with source, av.open(path, "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in [packet for packet in source.demux(video=0) if packet.size][5:]:
            packet.stream = stream
            container.mux(packet)
    frames = decode_everything(path)
    assert len(frames) == 40
    with VideoReader(path) as reader:
        assert len(reader.timestamps) == 40
        np.testing.assert_array_equal(reader.read(range(40), rgb), frames)
        reader.require_whole()


@pytest.mark.parametrize("name", ["closed_gop.mp4", "mpeg4.mp4", "vp9.webm"])
def test_a_clip_of_too_many_damaged_frames_is_refused(make, tmp_path, name):
    """Replaces packets by noise after their first bytes, as in a scrambled video."""
    rng, path = np.random.default_rng(0), str(tmp_path / name)
    source = av.open(str(make(name)), "r")
    with source, av.open(path, "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            data = bytes(packet)
            copy = av.Packet(data if number < 20 else data[:24] + rng.bytes(len(data) - 24))
            copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
            copy.is_keyframe, copy.stream = packet.is_keyframe, stream
            container.mux(copy)
    with VideoReader(path) as reader:
        reader.read(range(12), rgb)
        reader.require_whole()
        reader.read(range(25, 55), rgb)
        with pytest.raises(UnreadableVideo, match=f"{name}: .* of 30 frames of the clip are"):
            reader.require_whole()


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_part_starts_with_the_frame_on_screen(tmp_path, moving_frames, write_video, suffix):
    slides = moving_frames(3, 64, 64)
    path = write_video(tmp_path / f"slides.{suffix}", slides, ticks=[0, 500, 1000])
    frames = decode_everything(path)
    for start, end, times, shown in (
        (5, 15, [5], [0]),
        (15, 25, [15, 20], [0, 1]),
        (20, 45, [20, 40], [1, 2]),
        (30, 38, [30], [1]),
    ):
        with VideoReader(path, start=start, end=end) as reader:
            np.testing.assert_allclose(reader.timestamps, times)
            np.testing.assert_array_equal(
                reader.read(range(len(times)), rgb), [frames[number] for number in shown]
            )
            assert end == 45 or reader.finish == pytest.approx(end)
            assert float(reader.first_time) == pytest.approx(start)
