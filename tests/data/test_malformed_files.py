"""Files from the wild: each is read as far as possible, or refused with its name and a reason."""

import os
import shutil
import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from scenic_video.data.decoding.containers import naming_failures
from scenic_video.data.decoding.video_info import inspect
from scenic_video.data.decoding.video_reader import UnreadableVideo, VideoReader

FPS = 25


def rgb(frame):
    return frame.to_ndarray(format="rgb24")


def read_all(source):
    with VideoReader(source) as reader:
        return reader.read(range(len(reader.timestamps)), rgb)


@pytest.fixture
def good(tmp_path, moving_frames, write_video):
    """40 frames, every tenth a keyframe, with the index at the start of the file."""
    options = {"g": "10", "bf": "2", "x264-params": "scenecut=0"}
    return write_video(tmp_path / "good.mp4", moving_frames(40), options=options)


def damaged(path, change):
    """A copy of the file with its bytes changed by `change`."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    copy = path.replace(".mp4", "_damaged.mp4")
    with open(copy, "wb") as file:
        file.write(change(data))
    return copy


def packet_spans(path: str):
    """(first byte, size) of every packet in decoding order."""
    with av.open(path, "r") as container:
        return [(p.pos or 0, p.size) for p in container.demux(video=0) if p.size]


def test_a_file_without_its_index_is_refused(tmp_path, moving_frames, write_video):
    path = write_video(tmp_path / "v_001.mp4", moving_frames(40), faststart=False)
    broken = damaged(path, lambda data: data[: len(data) // 2])
    with pytest.raises(UnreadableVideo, match="v_001_damaged.mp4: .*moov atom not found"):
        VideoReader(broken)


@pytest.mark.parametrize(
    "content, reason",
    [(b"", "the file is empty"), (b"404 Not Found\n" * 99, "Invalid data found")],
)
def test_a_file_that_is_not_a_video_is_refused(tmp_path, content, reason):
    path = tmp_path / "v_002.mp4"
    path.write_bytes(content)
    with pytest.raises(UnreadableVideo, match=f"v_002.mp4: {reason}"):
        inspect(str(path))
    with pytest.raises(UnreadableVideo, match=f"v_002: {reason}"):
        inspect(content, name="v_002")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UnreadableVideo, match="gone.mp4: No such file or directory"):
        VideoReader(str(tmp_path / "gone.mp4"))


@pytest.mark.parametrize("has_cover, found", [(False, "audio"), (True, "audio, cover")])
def test_audio_alone_is_refused(tmp_path, has_cover, found):
    path = str(tmp_path / "audio.mp4")
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        if has_cover:
            cover = container.add_stream("mjpeg", rate=1)
            cover.height, cover.width, cover.pix_fmt = 32, 32, "yuvj420p"
            cover.disposition = Disposition.attached_pic
            container.mux(cover.encode(av.VideoFrame(32, 32, "yuvj420p")))
            container.mux(cover.encode())
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(UnreadableVideo, match=f"audio.mp4: there is no video in it, only {found}"):
        inspect(path)


def test_a_video_without_any_valid_frame_is_refused(good):
    def blank(data):
        for first, size in packet_spans(good):
            data[first : first + size] = bytes(size)
        return data

    broken = damaged(good, blank)
    with pytest.raises(UnreadableVideo, match="none of its frames can be decoded: Invalid data"):
        inspect(broken)


@pytest.mark.parametrize("start, end", [(7.0, None), (7.0, 9.0), (0.5, 0.5)])
def test_a_time_without_frames_is_refused(good, start, end):
    with pytest.raises(UnreadableVideo, match="good.mp4: there is no frame from"):
        VideoReader(good, start=start, end=end)


def test_one_frame_is_a_video(tmp_path, moving_frames, write_video):
    path = write_video(tmp_path / "one.mp4", moving_frames(1))
    info = inspect(path)
    assert (len(info.timestamps), info.timestamps[0]) == (1, 0.0)
    assert info.duration == pytest.approx(1 / FPS)
    assert read_all(path).shape == (1, 96, 128, 3)


@pytest.mark.parametrize(
    "suffix, codec, pixels", [("jpg", "mjpeg", "yuvj420p"), ("png", "png", "rgb24")]
)
def test_an_image_is_a_video_of_one_frame(
    tmp_path, moving_frames, write_video, suffix, codec, pixels
):
    image = moving_frames(1)
    path = write_video(tmp_path / f"one.{suffix}", image, codec=codec, pixel_format=pixels)
    with open(path, "rb") as file:
        encoded = file.read()
    assert len(inspect(path).timestamps) == len(inspect(encoded).timestamps) == 1
    np.testing.assert_array_equal(read_all(path), read_all(encoded))
    error = np.abs(read_all(encoded).astype(int) - image)
    assert error.mean() < (40 if suffix == "jpg" else 1e-9)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_variable_frame_rate_keeps_its_times(tmp_path, moving_frames, write_video, suffix):
    ticks = [0, 1, 2, 10, 11, 30, 31, 32, 33, 50]
    path = write_video(tmp_path / f"vfr.{suffix}", moving_frames(10), ticks=ticks)
    info = inspect(path)
    np.testing.assert_allclose(info.timestamps, np.array(ticks) / FPS, atol=1e-9)
    assert info.is_variable_frame_rate
    assert read_all(path).shape[0] == 10


@pytest.mark.parametrize("first, suffix", [(50, "mp4"), (50, "mkv"), (50, "ts"), (-7, "mkv")])
def test_time_counts_from_the_first_frame(tmp_path, moving_frames, write_video, suffix, first):
    frames = moving_frames(20)
    plain = write_video(tmp_path / f"plain.{suffix}", frames)
    ticks = range(first, first + 20)
    shifted = write_video(tmp_path / f"shifted.{suffix}", frames, ticks=ticks)
    info = inspect(shifted)
    np.testing.assert_allclose(info.timestamps, np.arange(20) / FPS, atol=1e-9)
    np.testing.assert_array_equal(read_all(shifted), read_all(plain))
    with VideoReader(shifted, start=0.4, end=0.6) as reader:
        np.testing.assert_array_equal(reader.read(range(5), rgb), read_all(plain)[10:15])


def test_frames_hidden_by_an_edit_list_are_not_shown(good: str, tmp_path):
    """A cut without re-encoding keeps earlier frames to which later ones refer."""
    path = str(tmp_path / "cut.mp4")
    with av.open(good, "r") as source, av.open(path, "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.pts is not None and packet.dts is not None:
                packet.pts -= 4 * 512
                packet.dts -= 4 * 512
                packet.stream = stream
                container.mux(packet)
    with av.open(path, "r") as container:
        shown = [rgb(frame) for frame in container.decode(video=0)]
    assert len(shown) == 36
    np.testing.assert_array_equal(shown, read_all(good)[4:])
    np.testing.assert_array_equal(read_all(path), shown)
    np.testing.assert_allclose(inspect(path).timestamps, np.arange(36) / FPS)


def test_a_truncated_file_is_read_up_to_its_end(good):
    broken = damaged(good, lambda data: data[: packet_spans(good)[25][0] + 10])
    frames = read_all(broken)
    assert 20 <= len(frames) <= 26
    np.testing.assert_array_equal(frames[:20], read_all(good)[:20])


def test_broken_packets_affect_only_their_group_of_pictures(good):
    def blank(data):
        for first, size in packet_spans(good)[12:15]:
            data[first : first + size] = bytes(size)
        return data

    whole, broken = read_all(good), read_all(damaged(good, blank))
    assert len(broken) == 40
    np.testing.assert_array_equal(broken[:10], whole[:10])
    np.testing.assert_array_equal(broken[20:], whole[20:])
    assert any((broken[i] != whole[i]).any() for i in range(10, 20))


def test_a_lost_frame_is_replaced_by_the_one_before(tmp_path, moving_frames, write_video):
    # Without B-frames, packet i is frame i; every frame is complete.
    path = write_video(tmp_path / "intra.mp4", moving_frames(12), options={"g": "1"})

    def blank(data):
        for number in (0, 5, 6):
            first, size = packet_spans(path)[number]
            data[first : first + size] = bytes(size)
        return data

    broken, whole = damaged(path, blank), read_all(path)
    with VideoReader(broken) as reader:
        assert len(reader.timestamps) == 12
        frames = reader.read([0, 4, 5, 6, 7], rgb)
        np.testing.assert_array_equal(frames, whole[[1, 4, 4, 4, 7]])
        # Even if the frame before was not requested.
        np.testing.assert_array_equal(reader.read([6], rgb), whole[[4]])


def test_noise_anywhere_in_the_file_never_crashes(good):
    spans = packet_spans(good)
    for seed in range(8):
        rng = np.random.default_rng(seed)

        def spoil(data, rng=rng):
            begin = int(rng.integers(spans[0][0], spans[-1][0]))
            data[begin : begin + 400] = rng.bytes(400)
            return data

        assert len(read_all(damaged(good, spoil))) == 40


@pytest.mark.parametrize("name", ["50%d.mp4", "12:30:05.mp4", "http:x.mp4", "ü b#?.mp4"])
def test_any_characters_are_allowed_in_a_path(good, tmp_path, name):
    path = tmp_path / name
    shutil.copy(good, path)
    np.testing.assert_array_equal(read_all(str(path)), read_all(good))


def test_frames_of_changing_size_have_one_output_size(tmp_path, moving_frames):
    from scenic_video.data.decoding.conversion import RgbConverter
    from scenic_video.data.decoding.sampling import Crop

    path = str(tmp_path / "sizes.mkv")
    with av.open(path, "w") as container:
        stream = container.add_stream("mjpeg", rate=FPS)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuvj420p"
        for tick, (height, width) in enumerate([(96, 128), (48, 64), (192, 256)]):
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.height, encoder.width, encoder.pix_fmt = height, width, "yuvj420p"
            encoder.time_base = Fraction(1, FPS)
            image = np.full((height, width, 3), 80, np.uint8)
            image[:, width // 2 :] = 200
            frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuvj420p")
            frame.pts = 0
            for packet in encoder.encode(frame):
                packet.pts = packet.dts = tick
                packet.time_base = Fraction(1, FPS)
                packet.stream = stream
                container.mux(packet)
    with VideoReader(path) as reader:
        convert = RgbConverter(lambda height, width: Crop(0, 0, height, width, 24, 32))
        frames = reader.read(range(3), convert).astype(int)
    assert np.abs(frames[:, :, :14] - 80).max() < 6
    assert np.abs(frames[:, :, 18:] - 200).max() < 6


def test_files_are_closed(good, tmp_path):
    (tmp_path / "text.mp4").write_text("not a video")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        read_all(good)
        inspect(good)
        for path, start in ((tmp_path / "text.mp4", 0.0), (good, 9.0)):
            with pytest.raises(UnreadableVideo):
                VideoReader(str(path), start=start)
    assert len(os.listdir("/proc/self/fd")) == before


def test_any_error_of_pyav_names_the_file():
    with pytest.raises(UnreadableVideo, match="v.mp4: ValueError: .*nonsense"):
        with naming_failures("v.mp4"):
            av.VideoFrame(64, 64, "nonsense")
    with pytest.raises(UnreadableVideo, match="v.mp4: MemoryError: 9 GB"):
        with naming_failures("v.mp4"):
            raise MemoryError("9 GB")
    with pytest.raises(ValueError, match="^our own$"):
        with naming_failures("v.mp4"):
            raise ValueError("our own")


def test_a_file_without_streams_is_refused():
    def box(kind, data):
        return struct.pack(">I", len(data) + 8) + kind + data

    header = struct.pack(">12xIIIH10x", 1000, 0, 1 << 16, 1 << 8) + bytes(36 + 24 + 4)
    empty = box(b"ftyp", b"isom" + bytes(4)) + box(b"moov", box(b"mvhd", header))
    with pytest.raises(UnreadableVideo, match="empty: it has no streams"):
        inspect(empty, name="empty")
