"""The stream that players show is read; errors state why there is none."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from scenic_video.data.decoding.conversion import RgbConverter
from scenic_video.data.decoding.sampling import Crop
from scenic_video.data.decoding.video_info import inspect
from scenic_video.data.decoding.video_reader import UnreadableVideo, VideoReader


def write_streams(path, *clips, codec="libx264", pixels="yuv420p", options=None, tags=None):
    """A file with a video stream for each clip [n, h, w, 3]."""
    with av.open(str(path), "w", options=options or {}) as container:
        streams = []
        for frames in clips:
            stream = container.add_stream(codec, rate=10, options={"threads": "1"})
            assert isinstance(stream, av.VideoStream)
            stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
            streams.append(stream)
        container.metadata.update(tags or {})
        for stream, frames in zip(streams, clips, strict=True):
            for index, image in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame = frame.reformat(format=pixels)
                frame.pts, frame.time_base = index, Fraction(1, 10)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return str(path)


def grey(level, count, height, width):
    return np.full((count, height, width, 3), level, np.uint8)


def first_frame(path):
    def whole(height, width):
        return Crop(0, 0, height, width, height, width)

    with VideoReader(path) as reader:
        return reader.read([0], RgbConverter(whole))[0]


def test_of_several_videos_the_largest_is_read(tmp_path):
    path = write_streams(tmp_path / "two.mkv", grey(40, 3, 48, 64), grey(200, 3, 96, 128))
    image = first_frame(path)
    assert image.shape == (96, 128, 3) and image.mean() > 150


def test_a_video_is_preferred_to_a_larger_still(tmp_path):
    path = write_streams(tmp_path / "two.mp4", grey(200, 1, 96, 128), grey(40, 5, 48, 64))
    assert first_frame(path).shape == (48, 64, 3)
    assert len(inspect(path).timestamps) == 5


def test_the_animation_of_an_animated_avif_is_read(tmp_path):
    path = write_streams(tmp_path / "a.avif", grey(90, 5, 64, 64), codec="libsvtav1")
    with av.open(path, "r") as container:
        assert [stream.frames for stream in container.streams.video] == [1, 5]
    assert len(inspect(path).timestamps) == 5


def test_the_colours_are_read_and_not_the_alpha_channel(tmp_path):
    path = str(tmp_path / "a.mov")
    with av.open(path, "w") as container:
        streams = [container.add_stream("png", rate=10) for _ in range(2)]
        for stream, pixels in zip(streams, ("gray", "rgb24"), strict=True):
            stream.height, stream.width, stream.pix_fmt = 48, 64, pixels
            stream.disposition = Disposition.default
        for index in range(3):
            for stream, pixels in zip(streams, ("gray", "rgb24"), strict=True):
                frame = av.VideoFrame.from_ndarray(
                    np.full((48, 64, 3), (200, 0, 0), np.uint8), format="rgb24"
                ).reformat(format=pixels)
                frame.pts, frame.time_base = index, Fraction(1, 10)
                container.mux(stream.encode(frame))
    np.testing.assert_array_equal(first_frame(path)[0, 0], (200, 0, 0))


def box(kind, *parts):
    data = b"".join(parts)
    return struct.pack(">I", len(data) + 8) + kind + data


def full(kind, *parts, version=0, flags=0):
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def tiled_image(tmp_path):
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


def test_a_tile_is_not_read_as_the_image(tmp_path):
    path = tiled_image(tmp_path)
    with av.open(path) as container:  # FFmpeg gives the tiles alone
        assert [s.codec_context.width for s in container.streams.video] == [64, 64]
    with pytest.raises(UnreadableVideo, match="tiled images cannot be read"):
        inspect(path)


def test_tags_in_another_encoding_do_not_matter(tmp_path):
    path = write_streams(tmp_path / "a.avi", grey(90, 3, 48, 64), tags={"title": "caXX"})
    data = (tmp_path / "a.avi").read_bytes()
    assert data.count(b"caXX") == 1
    (tmp_path / "a.avi").write_bytes(data.replace(b"caXX", b"caf\xe9"))
    assert len(inspect(path).timestamps) == 3


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
def test_errors_state_why_a_file_cannot_be_opened(tmp_path, content, words):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(UnreadableVideo, match=words):
        inspect(str(path))
