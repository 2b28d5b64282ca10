"""What is opened of a file: the stream that players show, and nothing that it refers to."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from scenic_video.data.conversion import RgbConverter
from scenic_video.data.decoding import UnreadableVideo, VideoReader, inspect
from scenic_video.data.sampling import Crop


def write_streams(path, *pictures, codec="libx264", pixels="yuv420p", options=None, tags=None):
    """A file with a video stream for each array of pictures [n, h, w, 3]."""
    with av.open(str(path), "w", options=options or {}) as container:
        streams = []
        for frames in pictures:
            stream = container.add_stream(codec, rate=10, options={"threads": "1"})
            assert isinstance(stream, av.VideoStream)
            stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
            streams.append(stream)
        container.metadata.update(tags or {})
        for stream, frames in zip(streams, pictures, strict=True):
            for index, picture in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame = frame.reformat(format=pixels)
                frame.pts, frame.time_base = index, Fraction(1, 10)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return str(path)


def grey(level, count, height, width):
    return np.full((count, height, width, 3), level, np.uint8)


def first_picture(path):
    def whole(height, width):
        return Crop(0, 0, height, width, height, width)

    with VideoReader(path) as reader:
        return reader.read([0], RgbConverter(whole))[0]


def test_of_several_videos_the_largest_is_read(tmp_path):
    path = write_streams(tmp_path / "two.mkv", grey(40, 3, 48, 64), grey(200, 3, 96, 128))
    picture = first_picture(path)
    assert picture.shape == (96, 128, 3) and picture.mean() > 150


def test_what_moves_goes_before_a_larger_still(tmp_path):
    path = write_streams(tmp_path / "two.mp4", grey(200, 1, 96, 128), grey(40, 5, 48, 64))
    assert first_picture(path).shape == (48, 64, 3)
    assert len(inspect(path).timestamps) == 5


def box(kind, *parts):
    data = b"".join(parts)
    return struct.pack(">I", len(data) + 8) + kind + data


def full(kind, *parts, version=0, flags=0):
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def tiled_picture(tmp_path):
    """Two AV1 tiles of 64 x 64, side by side, as a phone stores a photo (ISO/IEC 23008-12)."""
    encoded = write_streams(tmp_path / "tile.mp4", grey(90, 1, 64, 64), codec="libsvtav1")
    with av.open(encoded) as container:
        stream = container.streams.video[0]
        config, tile = stream.codec_context.extradata, bytes(next(container.demux(stream)))
    entries = [(1, b"grid"), (2, b"av01"), (3, b"av01")]
    infos = [
        full(b"infe", struct.pack(">HH", item, 0) + kind + b"\0", version=2)
        for item, kind in entries
    ]

    def sized(kind, width, height):
        return full(kind, struct.pack(">II", width, height))

    properties = box(b"ipco", sized(b"ispe", 128, 64), sized(b"ispe", 64, 64), box(b"av1C", config))
    associations = struct.pack(">I", 3) + struct.pack(">HBB", 1, 1, 1)
    associations += b"".join(struct.pack(">HBBB", item, 2, 2, 3) for item in (2, 3))

    def meta(offset):
        places = [(1, 1, 0, 8), (2, 0, offset, len(tile)), (3, 0, offset, len(tile))]
        items = b"".join(struct.pack(">HHHHII", i, how, 0, 1, at, n) for i, how, at, n in places)
        handler = struct.pack(">I", 0) + b"pict" + bytes(13)
        return full(
            b"meta",
            full(b"hdlr", handler),
            full(b"pitm", struct.pack(">H", 1)),
            full(b"iloc", b"\x44\x00" + struct.pack(">H", 3) + items, version=1),
            full(b"iinf", struct.pack(">H", 3), *infos),
            full(b"iref", box(b"dimg", struct.pack(">HHHH", 1, 2, 2, 3))),
            box(b"iprp", properties, full(b"ipma", associations)),
            box(b"idat", bytes((0, 0, 0, 1)) + struct.pack(">HH", 128, 64)),
        )

    head = box(b"ftyp", b"avif", bytes(4), b"avifmif1miaf")
    offset = len(head) + len(meta(0)) + 8
    path = tmp_path / "tiled.avif"
    path.write_bytes(head + meta(offset) + box(b"mdat", tile))
    return str(path)


def test_a_tile_is_not_taken_for_the_picture(tmp_path):
    path = tiled_picture(tmp_path)
    with av.open(path) as container:  # FFmpeg gives the tiles alone
        assert [s.codec_context.width for s in container.streams.video] == [64, 64]
    with pytest.raises(UnreadableVideo, match="a tiled picture is not read"):
        inspect(path)


def test_tags_in_another_encoding_do_not_matter(tmp_path):
    path = write_streams(tmp_path / "a.avi", grey(90, 3, 48, 64), tags={"title": "caXX"})
    data = (tmp_path / "a.avi").read_bytes()
    assert data.count(b"caXX") == 1
    (tmp_path / "a.avi").write_bytes(data.replace(b"caXX", b"caf\xe9"))
    assert len(inspect(path).timestamps) == 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{video}\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "ffconcat version 1.0\nfile '{name}'\n"),
        ("list.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
                     "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"),
        ("list.mpd", '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period>'
                     "<AdaptationSet><Representation id='1'><BaseURL>{video}</BaseURL>"
                     "</Representation></AdaptationSet></Period></MPD>"),
    ],
)  # fmt: skip
def test_files_that_refer_to_others_are_not_followed(tmp_path, name, text):
    video = write_streams(tmp_path / "secret.ts", grey(90, 12, 48, 64))
    path = tmp_path / name
    path.write_text(text.format(video=video, name="secret.ts"))
    for source in (str(path), path.read_bytes()):
        with pytest.raises(UnreadableVideo, match="first bytes are text|refers to other files"):
            inspect(source)


def test_a_name_is_no_pattern(tmp_path):
    png = {"codec": "png", "pixels": "rgb24", "options": {"update": "1"}}
    dark = write_streams(tmp_path / "img%d.png", grey(40, 1, 48, 64), **png)
    write_streams(tmp_path / "img1.png", grey(200, 1, 48, 64), **png)
    assert first_picture(dark).mean() < 60


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "text: version https://git-lfs",
        ),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>\n", "text: <!DOCTYPE html>"),
        (b"", "the file is empty"),
        (bytes(range(256)) * 8, "Invalid data"),
    ],
)
def test_the_reason_why_a_file_cannot_be_opened(tmp_path, content, words):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(UnreadableVideo, match=words):
        inspect(str(path))
