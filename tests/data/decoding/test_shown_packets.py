import struct

import av
import numpy as np
import pytest

from scenic_video.data.decoding.video_reader import VideoReader


def rgb(frame):
    return frame.to_ndarray(format="rgb24")


def shown(path):
    """The times and frames of a full decode in order."""
    with av.open(str(path), "r") as container:
        frames = [(frame.time, rgb(frame)) for frame in container.decode(video=0)]
    return [time for time, _ in frames], [image for _, image in frames]


def check(path, count):
    times, frames = shown(path)
    with VideoReader(path) as reader:
        assert len(reader.timestamps) == len(times) == count
        np.testing.assert_allclose(reader.timestamps, times, atol=1e-3)
        for indices in ([0, count - 1], [count // 2], range(count)):
            read = reader.read(indices, rgb)
            np.testing.assert_array_equal(read, [frames[i] for i in indices])


# In all-intra VP9, as in VP8, clearing one bit hides a frame.
@pytest.mark.parametrize("codec, group, bit", [("libvpx", "12", 4), ("libvpx-vp9", "1", 1)])
@pytest.mark.parametrize("time_of_hidden", ["its own", "that of the next"])
def test_hidden_frames_are_not_shown(
    tmp_path, moving_frames, write_video, codec, group, bit, time_of_hidden
):
    options = {"g": group, "deadline": "realtime", "cpu-used": "8"}
    frames = moving_frames(40, 64, 64)
    source = write_video(tmp_path / "a.webm", frames, codec=codec, options=options)
    path = str(tmp_path / "hidden.webm")
    with av.open(str(source), "r") as old, av.open(path, "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(p for p in old.demux(video=0) if p.size):
            data = bytearray(bytes(packet))
            is_hidden = number % 9 == 5
            if is_hidden:
                data[0] &= ~(1 << bit)
            copy = av.Packet(bytes(data))
            later = 40 if is_hidden and time_of_hidden == "that of the next" else 0
            copy.pts = copy.dts = (packet.pts or 0) + later
            copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
            copy.stream = stream
            new.mux(copy)
    check(path, 36)


def test_a_gif_may_end_in_a_packet_without_a_frame(tmp_path, moving_frames, write_video):
    path = tmp_path / "a.gif"
    write_video(path, moving_frames(6, 32, 32), fps=5, codec="gif", pixel_format="rgb8")
    data = path.read_bytes()
    assert data[-1:] == b"\x3b"
    control = b"\x21\xf9\x04" + struct.pack("<BHBB", 0, 20, 0, 0)
    path.write_bytes(data[:-1] + control + b"\x21\xfe\x03end\x00" + data[-1:])
    check(str(path), 6)
