"""Image files are read as clips of one frame."""

import struct

import numpy as np
import pytest

from scenic_video.data.examples import Example
from scenic_video.data.input.geometry import Geometry
from scenic_video.data.input.preprocessing import Preprocessing

ONE_FRAME = Preprocessing(num_frames=1, resize=64, crop=(64, 96))


@pytest.fixture(scope="module")
def quarters() -> np.ndarray:
    """uint8 [1, 64, 96, 3]: red, green / blue, white."""
    colors = np.array([[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]], np.uint8)
    return colors.repeat(32, axis=0).repeat(48, axis=1)[None]


def corners(image):
    """The colours in the four corners, each channel 0 or 1."""
    return [tuple((image[y, x] > 128).astype(int)) for y in (8, -8) for x in (8, -8)]


@pytest.mark.parametrize(
    ("suffix", "codec", "pixels"),
    [
        (".jpg", "mjpeg", "yuvj420p"),
        (".jpeg", "mjpeg", "yuvj444p"),
        (".png", "png", "rgb24"),
        (".png", "png", "rgba"),
        (".png", "png", "gray"),
        (".bmp", "bmp", "bgr24"),
        (".webp", "libwebp", "yuv420p"),
    ],
)
def test_images_of_every_format_are_clips_of_one_frame(
    tmp_path, write_video, quarters, suffix, codec, pixels
):
    path = write_video(tmp_path / f"a{suffix}", quarters, codec=codec, pixel_format=pixels)
    with open(path, "rb") as file:
        encoded = file.read()
    for video in (path, encoded):
        example = Example("a", video, {})
        clip = ONE_FRAME.eval_inputs(example)["rgb"]
        assert clip.shape == (1, 1, 64, 96, 3)
        expected = quarters[0].mean(axis=-1, keepdims=True) if pixels == "gray" else quarters[0]
        if pixels != "gray":
            assert corners(clip[0, 0]) == corners(expected)
        else:
            np.testing.assert_array_equal(clip[..., 0], clip[..., 2])
        inputs = ONE_FRAME.train_inputs(
            example, np.random.default_rng(0), Geometry(crop_area=(0.5, 1.0), flip=True)
        )
        assert inputs["rgb"].shape == (1, 64, 96, 3)


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF block that states its orientation."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"MM\0*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0)
    exif = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


UPRIGHT = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: np.rot90(image),
}
"""By EXIF orientation."""


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_jpeg_is_rotated_and_flipped_by_its_exif_orientation(
    tmp_path, write_video, quarters, orientation
):
    path = write_video(tmp_path / "a.jpg", quarters, codec="mjpeg", pixel_format="yuvj444p")
    with open(path, "rb") as file:
        turned = with_orientation(file.read(), orientation)
    upright = UPRIGHT[orientation](quarters[0])
    height, width = upright.shape[:2]
    preprocessing = Preprocessing(num_frames=1, resize=min(height, width), crop=(height, width))
    clip = preprocessing.eval_inputs(Example("a", turned, {}))["rgb"]
    assert corners(clip[0, 0]) == corners(upright)
