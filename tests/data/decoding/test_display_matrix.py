"""Frames are rotated and flipped as their display matrix states."""

import itertools

import numpy as np
import pytest

from scenic_video.data.decoding.conversion import RgbConverter
from scenic_video.data.decoding.display_matrix import Orientation
from scenic_video.data.decoding.sampling import Crop
from scenic_video.data.decoding.video_info import inspect
from scenic_video.data.decoding.video_reader import VideoReader
from scenic_video.data.preparation.transcoding import transcode

ONE = 1 << 16
TURNS = [(a, 0, 0, d) for a, d in itertools.product((-1, 1), repeat=2)]
TURNS += [(0, b, c, 0) for b, c in itertools.product((-1, 1), repeat=2)]
NONSENSE = [(0, 0, 0, 0), (1, 1, 1, 1), (1, 0, 0, 0)]


def whole(height, width):
    return Crop(0, 0, height, width, height, width)


def shown(frames, matrix):
    """x' = a x + c y, y' = b x + d y, applied pixel by pixel."""
    a, b, c, d = matrix
    if a * d == b * c:
        return frames
    rows, columns = np.indices(frames.shape[1:3])
    x, y = a * columns + c * rows, b * columns + d * rows
    x, y = x - x.min(), y - y.min()
    out = np.zeros((len(frames), y.max() + 1, x.max() + 1, 3), np.uint8)
    out[:, y, x] = frames[:, rows, columns]
    return out


def read(path, choose_crop=whole):
    with VideoReader(path) as reader:
        return reader.read(range(len(reader.timestamps)), RgbConverter(choose_crop))


@pytest.fixture
def stored(moving_frames, write_video, tmp_path):
    frames = moving_frames(2, 64, 96)
    return frames, read(write_video(tmp_path / "stored.mp4", frames))


@pytest.mark.parametrize("matrix", TURNS + NONSENSE)
def test_frames_are_shown_as_their_display_matrix_states(matrix, stored, tmp_path, write_video):
    frames, plain = stored
    a, b, c, d = (ONE * x for x in matrix)
    nine = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path = write_video(tmp_path / "v.mp4", frames, matrix=nine)
    expected = shown(plain, matrix)
    info = inspect(path)
    assert (info.height, info.width) == expected.shape[1:3]
    np.testing.assert_array_equal(read(path), expected)
    for flipped in (False, True):
        cut = read(path, lambda height, width, m=flipped: Crop(8, 12, 40, 32, 40, 32, m))
        box = expected[:, 8:48, 12:44]
        np.testing.assert_array_equal(cut, box[:, :, ::-1] if flipped else box)
    copy = tmp_path / "copy.mp4"
    transcode(path, copy, short_side=64)
    assert inspect(str(copy)).orientation == Orientation()
    assert np.abs(read(str(copy)).astype(int) - expected).mean() < 12
