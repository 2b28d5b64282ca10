"""Only a single file is opened: nothing that it names, no pipe, and no huge image."""

import os
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from scenic_video.data.decoding.audio_track import audio_track
from scenic_video.data.decoding.opening import MAX_PIXELS, UnreadableVideo, open_container
from scenic_video.data.decoding.video_reader import VideoReader


@pytest.fixture(scope="module")
def folder(tmp_path_factory, clips):
    """A folder with secret.mp4 and secret.ts, which other files refer to."""
    folder = tmp_path_factory.mktemp("named")
    (folder / "secret.mp4").write_bytes(Path(clips[0].video).read_bytes())
    with av.open(str(folder / "secret.ts"), "w", format="mpegts") as copy:
        stream = copy.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 40, 32, "yuv420p"
        for _ in range(5):
            grey = np.full((32, 40, 3), 99, np.uint8)
            copy.mux(stream.encode(av.VideoFrame.from_ndarray(grey)))
        copy.mux(stream.encode())
    return folder


def frames(source) -> int:
    with VideoReader(source) as reader:
        return len(reader.timestamps)


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.4,\n{folder}/secret.ts\n#EXT-X-ENDLIST\n"
SDP = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=x
c=IN IP4 127.0.0.1
t=0 0
m=video 5004 RTP/AVP 96
a=rtpmap:96 H264/90000
"""
DASH = """<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"
mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>
<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1" width="40" height="32">
<BaseURL>file:{folder}/secret.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>"""
REFERENCES = {
    "a.m3u8": PLAYLIST,
    "a.ffconcat": "ffconcat version 1.0\nfile secret.mp4\n",
    "a.mp4": "ffconcat version 1.0\nfile secret.mp4\n",
    "a.sdp": SDP,
    "a.mpd": DASH,
}


@pytest.mark.parametrize("name", REFERENCES)
def test_files_that_another_file_names_are_not_opened(folder, name, monkeypatch):
    monkeypatch.chdir(folder)
    text = REFERENCES[name].format(folder=folder)
    Path(name).write_text(text)
    for source in (name, str(folder / name), text.encode()):
        with pytest.raises(UnreadableVideo):
            frames(source)


def test_a_pattern_is_the_name_of_one_file(folder):
    with av.open(str(folder / "img%d.png"), "w", format="image2", options={"update": "1"}) as file:
        stream = file.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 8, 8, "rgb24"
        file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((8, 8, 3), np.uint8))))
        file.mux(stream.encode())
    for number in (1, 2):
        (folder / f"img{number}.png").write_bytes((folder / "img%d.png").read_bytes())
    assert frames(folder / "img%d.png") == 1


@pytest.mark.parametrize("prefix", ["concat:", "subfile,,start,0,end,0,,:", "file:", "data:"])
def test_a_path_is_not_a_url(folder, prefix, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(UnreadableVideo, match="No such file"):
        frames(f"{prefix}secret.mp4")


def test_anything_but_a_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    for path, kind in ((tmp_path / "pipe.mp4", "named pipe"), (tmp_path, "folder")):
        with pytest.raises(UnreadableVideo, match=f"{path}: this is a {kind}"):
            frames(path)
        with pytest.raises(UnreadableVideo, match=kind):
            list(audio_track(path, begin=Fraction(0), duration=1.0, rate=8000))
    with pytest.raises(UnreadableVideo, match="a device"):
        frames("/dev/zero")


def gif(side: int) -> bytes:
    """A GIF of one pixel whose header claims a canvas of side x side, in 40 bytes."""
    screen = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(3) + b"\xff" * 3
    pixel = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return screen + pixel + b"\x3b"


def test_too_large_an_image_is_refused_before_it_takes_memory():
    def look(frame):
        return np.zeros((1, 1, 3), np.uint8)

    with VideoReader(gif(64)) as reader:
        assert reader.read([0], look).shape == (1, 1, 1, 3)
    side = int(MAX_PIXELS**0.5) + 1
    with pytest.raises(UnreadableVideo, match="cannot|none|Invalid"):
        with VideoReader(gif(side)) as reader:
            reader.read([0], look)
    with open_container(gif(side)) as container:
        assert container.streams.video[0].codec_context.width == 0  # nor in probing
