import json
import re
from pathlib import Path

import numpy as np
import pytest

from scenic_video.data.decoding import sampling

GOLDEN = Path(__file__).parents[2] / "golden"
SAMPLING = json.loads((GOLDEN / "dmvr_sampling.json").read_text())


def cases(kind):
    """(length, num_frames, stride, number of clips or offset, stored answer)"""
    for name, answer in SAMPLING[kind].items():
        length, frames, stride, *rest = map(int, re.findall(r"\d+", name))
        yield length, frames, stride, rest[0] if rest else 0, answer


def clips_at(length, offsets, num_frames, stride):
    clips = [
        sampling.clip_indices(
            length, offset, num_frames=num_frames, stride=stride, short_clips="loop"
        )
        for offset in offsets
    ]
    return np.concatenate(clips).tolist()


def test_the_middle_clip_equals_that_of_the_public_loader():
    for length, frames, stride, _, answer in cases("middle_clip"):
        offsets = sampling.spread_offsets(length, num_clips=1, num_frames=frames, stride=stride)
        assert clips_at(length, offsets, frames, stride) == answer


def test_spread_clips_equal_those_of_the_public_loader():
    for length, frames, stride, clips, answer in cases("linspace_clips"):
        offsets = sampling.spread_offsets(length, num_clips=clips, num_frames=frames, stride=stride)
        assert clips_at(length, offsets, frames, stride) == answer


def test_looping_equals_that_of_the_public_loader():
    for length, frames, stride, offset, answer in cases("indices_from_offset"):
        assert clips_at(length, [offset], frames, stride) == answer


def test_training_offsets_have_the_range_of_the_public_loader():
    kind = "random_offset_observed_min_max_600_draws"
    for length, frames, stride, _, (low, high) in cases(kind):
        rng = np.random.default_rng(0)
        offsets = [
            sampling.random_offset(rng, length, num_frames=frames, stride=stride)
            for _ in range(3000)
        ]
        assert (min(offsets), max(offsets)) == (low, high)


def test_padding_repeats_the_last_frame():
    indices = sampling.clip_indices(5, 2, num_frames=6, stride=2, short_clips="pad")
    assert indices.tolist() == [2, 4, 4, 4, 4, 4]


def test_resampling_takes_the_frame_on_screen():
    timestamps = np.array([0.0, 0.1, 0.5, 0.6])  # it stood still for a while
    ticks = sampling.resample_timeline(timestamps, frame_rate=10, end=0.7)
    assert ticks.tolist() == [0, 1, 1, 1, 1, 2, 3]


@pytest.mark.parametrize("fps", [24, 25, 30, 30000 / 1001, 60])
@pytest.mark.parametrize("start", [0.0, 7.3])
def test_resampling_to_the_same_rate_keeps_every_frame(fps, start):
    exact = start + np.arange(200) / fps
    for timestamps in (exact, np.round(exact, 3)):  # Matroska rounds to milliseconds
        end = float(timestamps[-1]) + 1 / fps
        ticks = sampling.resample_timeline(timestamps, frame_rate=fps, end=end)
        assert ticks.tolist() == list(range(200))


def test_resampling_halves_and_doubles():
    timestamps = np.arange(10) / 10
    assert sampling.resample_timeline(timestamps, frame_rate=5, end=1.0).tolist() == [0, 2, 4, 6, 8]
    doubled = sampling.resample_timeline(timestamps, frame_rate=20, end=1.0)
    assert doubled.tolist() == np.repeat(np.arange(10), 2).tolist()


def test_one_frame_makes_a_timeline():
    assert sampling.resample_timeline(np.array([3.0]), frame_rate=1, end=3.04).tolist() == [0]


def test_resized_sizes_equal_those_of_the_public_loader():
    for name, answer in SAMPLING["resize_smallest_256"].items():
        height, width = map(int, name.split("x"))
        size = sampling.resized_size(height, width, resize=256, crop=(224, 224))
        assert list(size) == answer


def test_a_frame_is_enlarged_until_the_crop_fits():
    assert sampling.resized_size(100, 200, resize=50, crop=(60, 60)) == (60, 120)
    assert sampling.resized_size(100, 100, resize=50, crop=(40, 80)) == (80, 80)
    assert sampling.resized_size(96, 128, resize=96, crop=(96, 128)) == (96, 128)
    height, width = sampling.resized_size(37, 111, resize=10, crop=(64, 48))
    assert (height, width) == (64, 192)


@pytest.mark.parametrize("kind", ["wide", "tall", "square"])
def test_three_crops_equal_those_of_the_public_loader(kind):
    with np.load(GOLDEN / "three_crops.npz") as arrays:
        clip, answer = arrays[f"{kind}_in"], arrays[f"{kind}_out"]
    corners = sampling.view_corners(*clip.shape[1:3], crop=(6, 6), num_crops=3)
    views = [clip[:, top : top + 6, left : left + 6] for top, left in corners]
    np.testing.assert_array_equal(np.concatenate(views), answer)


def test_the_centre_view_alone_is_the_second_of_three():
    three = sampling.view_corners(9, 20, crop=(4, 5), num_crops=3)
    assert sampling.view_corners(9, 20, crop=(4, 5), num_crops=1) == [three[1]]


def test_other_numbers_of_crops_are_refused():
    with pytest.raises(ValueError, match="must be 1 or 3; got 2"):
        sampling.view_corners(10, 10, crop=(4, 4), num_crops=2)


@pytest.mark.parametrize("jitter", [None, (0.9, 1.33), (0.2, 3.0)])
@pytest.mark.parametrize("size", [(256, 340), (1080, 607), (33, 35), (2000, 40)])
def test_random_crops_are_inside_the_frame(size, jitter):
    rng = np.random.default_rng(0)
    for _ in range(200):
        crop = sampling.random_crop(rng, *size, resize=64, crop=(56, 48), scale_jitter=jitter)
        assert 0 <= crop.top <= crop.top + crop.height <= size[0]
        assert 0 <= crop.left <= crop.left + crop.width <= size[1]
        assert crop.height >= 1 and crop.width >= 1
        assert (crop.out_height, crop.out_width) == (56, 48)


def test_random_crops_reach_every_edge_and_keep_the_aspect():
    rng = np.random.default_rng(0)
    crops = [sampling.random_crop(rng, 512, 768, resize=256, crop=(224, 224)) for _ in range(2000)]
    assert {(crop.height, crop.width) for crop in crops} == {(448, 448)}
    assert {crop.top for crop in crops} == set(range(0, 65, 2))
    assert {crop.left for crop in crops} == set(range(0, 321, 2))


def test_jitter_scales_height_and_width_independently():
    rng = np.random.default_rng(0)
    crops = [
        sampling.random_crop(rng, 256, 256, resize=256, crop=(128, 128), scale_jitter=(0.8, 1.25))
        for _ in range(2000)
    ]
    heights = 128 / np.array([crop.height for crop in crops])
    widths = 128 / np.array([crop.width for crop in crops])
    for factors in (heights, widths):
        assert factors.min() == pytest.approx(0.8, abs=0.02)
        assert factors.max() == pytest.approx(1.25, abs=0.02)
    assert abs(np.corrcoef(heights, widths)[0, 1]) < 0.1


def test_a_side_jittered_too_short_is_as_long_as_the_crop():
    rng = np.random.default_rng(0)
    crop = sampling.random_crop(rng, 100, 200, resize=100, crop=(100, 100), scale_jitter=(0.5, 0.5))
    assert (crop.top, crop.height, crop.left, crop.width) == (0, 100, 0, 200)


@pytest.mark.parametrize("size", [(256, 340), (1080, 607), (7, 9), (2000, 40), (40, 2000), (1, 1)])
def test_random_boxes_are_inside_the_frame(size):
    rng = np.random.default_rng(0)
    for _ in range(300):
        crop = sampling.random_area_crop(rng, *size, area=(0.08, 1.0), crop=(56, 48))
        assert 0 <= crop.top <= crop.top + crop.height <= size[0]
        assert 0 <= crop.left <= crop.left + crop.width <= size[1]
        assert crop.height >= 1 and crop.width >= 1
        assert (crop.out_height, crop.out_width) == (56, 48)
        assert crop.top % 2 == crop.left % 2 == 0


def test_random_boxes_have_uniform_areas_and_any_aspect_of_the_range():
    rng = np.random.default_rng(0)
    crops = [
        sampling.random_area_crop(rng, 1000, 1000, area=(0.1, 0.5), crop=(8, 8))
        for _ in range(4000)
    ]
    areas = np.array([crop.height * crop.width / 1e6 for crop in crops])
    assert areas.min() == pytest.approx(0.1, abs=0.002)
    assert areas.max() == pytest.approx(0.5, abs=0.002)
    np.testing.assert_allclose(np.quantile(areas, [0.25, 0.5, 0.75]), [0.2, 0.3, 0.4], atol=0.02)
    aspects = np.log([crop.width / crop.height for crop in crops])
    assert abs(aspects).max() == pytest.approx(np.log(4 / 3), abs=0.01)
    assert abs(aspects.mean()) < 0.01
    lowest = max(crop.top + crop.height for crop in crops)
    assert min(crop.top for crop in crops) == 0 and lowest >= 998


def test_a_frame_that_no_box_fits_gives_its_centre():
    rng = np.random.default_rng(0)
    crop = sampling.random_area_crop(rng, 40, 2000, area=(1.0, 1.0), crop=(8, 8))
    assert (crop.top, crop.height, crop.left, crop.width) == (0, 40, 972, 53)
    crop = sampling.random_area_crop(rng, 2000, 40, area=(1.0, 1.0), crop=(8, 8))
    assert (crop.top, crop.height, crop.left, crop.width) == (972, 53, 0, 40)
