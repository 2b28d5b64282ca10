import av
import numpy as np
import pytest
from av.video.reformatter import Colorspace

from scenic_video.data.decoding.conversion import RgbConverter
from scenic_video.data.decoding.sampling import Crop
from scenic_video.data.decoding.video_info import inspect
from scenic_video.data.decoding.video_reader import VideoReader


def whole(height, width):
    return Crop(0, 0, height, width, height, width)


@pytest.fixture
def frame(moving_frames):
    image = moving_frames(1, 90, 120)[0]
    return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")


def convert(frame, crop):
    return RgbConverter(lambda height, width: crop)(frame).copy()


def test_the_whole_frame_equals_that_of_ffmpeg(frame):
    np.testing.assert_array_equal(convert(frame, whole(90, 120)), frame.to_ndarray(format="rgb24"))


@pytest.mark.parametrize(
    "box", [(0, 0, 90, 120), (10, 22, 40, 64), (2, 4, 32, 50), (40, 60, 50, 60)]
)
def test_a_crop_that_is_not_scaled_is_a_slice(frame, box):
    top, left, height, width = box
    expected = convert(frame, whole(90, 120))[top : top + height, left : left + width]
    np.testing.assert_array_equal(
        convert(frame, Crop(top, left, height, width, height, width)), expected
    )


def test_a_scaled_crop_is_nearly_a_slice_of_the_scaled_frame(moving_frames):
    smooth = moving_frames(1, 30, 40)[0].repeat(8, 0).repeat(8, 1)
    frame = av.VideoFrame.from_ndarray(smooth, format="rgb24").reformat(format="yuv420p")
    scaled = convert(frame, Crop(0, 0, 240, 320, 120, 160))
    cut = convert(frame, Crop(40, 80, 120, 160, 60, 80)).astype(int)
    error = np.abs(cut - scaled[20:80, 40:120])
    assert error.mean() < 0.5
    assert error[2:-2, 2:-2].max() <= 3


def test_a_flipped_crop_is_the_crop_flipped(frame):
    crop = Crop(10, 20, 60, 80, 48, 64)
    flipped = Crop(10, 20, 60, 80, 48, 64, flipped=True)
    np.testing.assert_array_equal(convert(frame, flipped), convert(frame, crop)[:, ::-1])


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_frames_are_rotated_upright(tmp_path, moving_frames, write_video, rotation):
    frames = moving_frames(3, 64, 96)
    lying = write_video(tmp_path / "lying.mp4", frames)
    turned = write_video(tmp_path / "turned.mp4", frames, rotation=rotation)
    assert inspect(turned).rotation == rotation
    with VideoReader(lying) as reader:
        stored = reader.read(range(3), RgbConverter(whole))
    upright = np.rot90(stored, -rotation // 90, axes=(1, 2))
    info = inspect(turned)
    assert (info.height, info.width) == upright.shape[1:3]
    with VideoReader(turned) as reader:
        np.testing.assert_array_equal(reader.read(range(3), RgbConverter(whole)), upright)
        for flipped in (False, True):
            crop = Crop(8, 12, 40, 32, 40, 32, flipped)
            cut = reader.read([1], RgbConverter(lambda height, width, crop=crop: crop))
            expected = upright[1, 8:48, 12:44]
            np.testing.assert_array_equal(cut[0], expected[:, ::-1] if flipped else expected)


@pytest.mark.parametrize(
    "matrix, red, blue",
    [(Colorspace.ITU709, 0.2126, 0.0722), (Colorspace.SMPTE170M, 0.299, 0.114)],
)
@pytest.mark.parametrize("full_range", [False, True])
def test_colours_follow_the_matrix_and_range_of_the_video(matrix, red, blue, full_range):
    frame = av.VideoFrame(64, 48, "yuv420p")
    for plane, value in zip(frame.planes, (120, 90, 180), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    frame.colorspace = matrix
    frame.color_range = 2 if full_range else 1
    y, cb, cr = 120.0, 90.0 - 128, 180.0 - 128
    if not full_range:
        y, cb, cr = (y - 16) * 255 / 219, cb * 255 / 224, cr * 255 / 224
    r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
    g = (y - red * r - blue * b) / (1 - red - blue)
    for size in (48, 64), (24, 30):
        image = convert(frame, Crop(0, 0, 48, 64, *size))
        assert np.abs(image - np.array([r, g, b])).max() < 2.5
