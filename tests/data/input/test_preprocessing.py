import json
from typing import Any

import numpy as np
import pytest

from scenic_video.data.decoding.video_reader import UnreadableVideo, VideoReader
from scenic_video.data.examples import Example
from scenic_video.data.input.geometry import Geometry
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.modalities.rgb import Rgb

FPS = 25
NUM_FRAMES = 40
GEOMETRY = Geometry(scale_jitter=(0.9, 1.33), flip=True)


@pytest.fixture(scope="module")
def video(tmp_path_factory, write_video):
    """40 frames of 96x160; frame i has a grey value of about 6 i, darker towards the left."""
    frames = np.arange(NUM_FRAMES)[:, None, None, None] * 6
    ramp = (np.arange(160) // 16)[None, None, :, None]
    frames = (frames + ramp + np.zeros((1, 96, 160, 3))).astype(np.uint8)
    path = tmp_path_factory.mktemp("videos") / "ramp.mp4"
    return write_video(path, frames, fps=FPS, options={"g": "10", "crf": "5"})


@pytest.fixture(scope="module")
def textured(tmp_path_factory, write_video, moving_frames):
    path = tmp_path_factory.mktemp("videos") / "textured.mp4"
    return write_video(path, moving_frames(NUM_FRAMES, 96, 160), fps=FPS, options={"g": "10"})


def example(path, **window):
    return Example("v", path, {"label": (0,)}, **window)


def frame_numbers(clip):
    """The indices of the frames of `video` in a clip [..., t, h, w, 3]."""
    right = clip[..., clip.shape[-3] // 2, -1, :].mean(-1)
    return np.round((right - 9) / 6).astype(int)


def preprocessing(**fields: Any) -> Preprocessing:
    defaults: dict[str, Any] = dict(num_frames=8, stride=2, resize=96, crop=96)
    return Preprocessing(**defaults | fields)


def test_a_training_clip_starts_at_a_random_frame(video):
    starts = set()
    for seed in range(180):
        clip = preprocessing(num_frames=2, stride=14, crop=(96, 160)).train_inputs(
            example(video), np.random.default_rng(seed), Geometry()
        )["rgb"]
        assert clip.shape == (2, 96, 160, 3)
        numbers = frame_numbers(clip)
        assert numbers[1] - numbers[0] == 14
        starts.add(int(numbers[0]))
    assert starts == set(range(26))


def test_a_training_clip_is_a_crop_of_the_frames(textured):
    with VideoReader(textured) as reader:
        whole = reader.read(range(NUM_FRAMES), lambda frame: frame.to_ndarray(format="rgb24"))
    lefts = set()
    for seed in range(20):
        clip = preprocessing(num_frames=1).train_inputs(
            example(textured), np.random.default_rng(seed), Geometry()
        )["rgb"]
        found = [
            (number, left)
            for number in range(NUM_FRAMES)
            for left in range(65)
            if np.array_equal(clip[0], whole[number, :, left : left + 96])
        ]
        assert len(found) == 1
        lefts.add(found[0][1])
    assert len(lefts) > 8


def test_the_same_generator_gives_the_same_clip(textured):
    clips = [
        preprocessing(crop=64).train_inputs(
            example(textured),
            np.random.default_rng(5),
            Geometry(scale_jitter=(0.9, 1.33), flip=True),
        )["rgb"]
        for _ in range(2)
    ]
    np.testing.assert_array_equal(clips[0], clips[1])


def test_half_of_the_clips_are_flipped_with_flip(video):
    def is_flipped(seed, flip):
        clip = preprocessing().train_inputs(
            example(video), np.random.default_rng(seed), Geometry(flip=flip)
        )["rgb"]
        left, right = clip[:, :, :16].mean(), clip[:, :, -16:].mean()
        return left > right

    assert not any(is_flipped(seed, flip=False) for seed in range(20))
    assert 20 < sum(is_flipped(seed, flip=True) for seed in range(60)) < 40


def test_a_crop_area_is_cropped_from_frames_of_any_size(textured):
    def clip(area, seed=5, **fields):
        return preprocessing(crop=(64, 48), **fields).train_inputs(
            example(textured), np.random.default_rng(seed), Geometry(crop_area=area)
        )["rgb"]

    small, large = clip((0.08, 0.1)), clip([1, 1])
    assert small.shape == large.shape == (8, 64, 48, 3)
    steps = [np.abs(np.diff(x.astype(int), axis=2)).mean() for x in (small, large)]
    assert steps[0] < 0.6 * steps[1]  # enlarged, so neighbours are alike
    assert not np.array_equal(clip((0.08, 1.0), seed=1), clip((0.08, 1.0), seed=2))
    np.testing.assert_array_equal(clip((0.3, 0.9)), clip((0.3, 0.9), resize=256))


def test_jitter_changes_scale_and_aspect_but_not_the_shape(textured):
    clips = [
        preprocessing(crop=64).train_inputs(
            example(textured), np.random.default_rng(5), Geometry(scale_jitter=jitter)
        )["rgb"]
        for jitter in (None, (0.5, 0.6), [1, 2])
    ]
    assert {clip.shape for clip in clips} == {(8, 64, 64, 3)}
    assert not np.array_equal(clips[0], clips[2])


def test_the_view_is_the_middle_clip_and_the_centre(video, textured):
    view = preprocessing(crop=(96, 160)).eval_inputs(example(video))["rgb"]
    assert view.shape == (1, 8, 96, 160, 3)
    assert frame_numbers(view)[0].tolist() == list(range(12, 28, 2))
    with VideoReader(textured) as reader:
        whole = reader.read(range(12, 28, 2), lambda frame: frame.to_ndarray(format="rgb24"))
    np.testing.assert_array_equal(
        preprocessing().eval_inputs(example(textured))["rgb"][0], whole[:, :, 32:128]
    )


def test_views_are_every_clip_of_the_first_crop_then_of_the_next(textured):
    views = preprocessing().eval_inputs(example(textured), num_clips=4, num_crops=3)["rgb"]
    assert views.shape == (12, 8, 96, 96, 3)
    with VideoReader(textured) as reader:
        whole = reader.read(range(NUM_FRAMES), lambda frame: frame.to_ndarray(format="rgb24"))
    expected = [
        whole[start + np.arange(8) * 2, :, left : left + 96]
        for left in (0, 32, 64)
        for start in (0, 8, 16, 24)
    ]
    np.testing.assert_array_equal(views, expected)


def test_the_centre_of_three_crops_is_the_one_crop(textured):
    for fields in (dict(), dict(resize=50, crop=33)):
        three = preprocessing(**fields).eval_inputs(example(textured), num_clips=2, num_crops=3)[
            "rgb"
        ]
        one = preprocessing(**fields).eval_inputs(example(textured), num_clips=2)["rgb"]
        np.testing.assert_array_equal(three[2:4], one)


def test_a_tall_frame_is_cropped_from_top_to_bottom(tmp_path, write_video):
    rows = np.arange(160) * 255 // 160
    frames = np.broadcast_to(rows[None, :, None, None], (8, 160, 96, 3)).astype(np.uint8)
    path = write_video(tmp_path / "tall.mp4", frames)
    views = preprocessing(num_frames=4).eval_inputs(example(path), num_crops=3)["rgb"]
    brightness = views.mean((1, 2, 3, 4))
    assert brightness[0] + 20 < brightness[1] < brightness[2] - 20


def test_a_short_clip_loops_or_repeats_its_last_frame(video):
    window = dict(start=0.4, end=0.6)  # frames 10 to 14
    for how, expected in (
        ("loop", [10, 12, 14, 11, 13, 10, 12, 14]),
        ("pad", [10, 12, 14, 14, 14, 14, 14, 14]),
    ):
        view = preprocessing(crop=(96, 160), short_clips=how).eval_inputs(example(video, **window))[
            "rgb"
        ]
        assert frame_numbers(view)[0].tolist() == expected


def test_a_clip_stays_within_the_times_of_the_example(video):
    for seed in range(30):
        clip = preprocessing(crop=(96, 160)).train_inputs(
            example(video, start=0.4, end=1.2), np.random.default_rng(seed), Geometry()
        )["rgb"]
        assert frame_numbers(clip).min() >= 10 and frame_numbers(clip).max() < 30


def test_one_frame_fills_a_clip(tmp_path, moving_frames, write_video):
    path = write_video(tmp_path / "one.mp4", moving_frames(1))
    for how in ("loop", "pad"):
        for frame_rate in (None, 10):
            chosen = preprocessing(short_clips=how, frame_rate=frame_rate)
            clip = chosen.train_inputs(example(path), np.random.default_rng(0), Geometry())["rgb"]
            assert clip.shape == (8, 96, 96, 3)
            assert (clip == clip[0]).all()


def test_stride_counts_frames_of_the_wanted_rate(video):
    def numbers(**fields):
        return frame_numbers(
            preprocessing(crop=(96, 160), **fields).eval_inputs(example(video))["rgb"]
        )[0]

    assert numbers(frame_rate=FPS).tolist() == numbers().tolist()
    assert numbers(frame_rate=12.5, stride=1).tolist() == numbers(stride=2).tolist()
    # 1.6 s at 50 frames per second are 80 ticks; the middle clip starts at tick 32.
    assert numbers(frame_rate=50).tolist() == list(range(16, 24))


def test_a_variable_frame_rate_is_shown_as_a_player_would(tmp_path, write_video):
    ticks = np.array([0, 1, 2, 10, 11, 30, 31, 32, 33, 49])
    frames = (
        np.zeros((10, 96, 160, 3), np.uint8)
        + (np.arange(10, dtype=np.uint8) * 6 + 9)[:, None, None, None]
    )
    path = write_video(tmp_path / "vfr.mkv", frames, ticks=ticks, options={"crf": "5"})
    chosen = preprocessing(num_frames=10, stride=1, frame_rate=5, crop=(96, 160))
    view = chosen.eval_inputs(example(path))["rgb"]
    # Ticks at 0, 0.2, ..., 1.8 s are frames 0, 5, 10, ..., 45 at 25 per second.
    on_screen = np.searchsorted(ticks, np.arange(10) * 5, side="right") - 1
    assert frame_numbers(view)[0].tolist() == on_screen.tolist()


def test_frames_smaller_than_the_crop_are_enlarged(textured):
    chosen = preprocessing(resize=48, crop=128, num_frames=2)
    assert chosen.eval_inputs(example(textured), num_crops=3)["rgb"].shape == (3, 2, 128, 128, 3)
    clip = chosen.train_inputs(
        example(textured), np.random.default_rng(0), Geometry(scale_jitter=(0.5, 0.5))
    )["rgb"]
    assert clip.shape == (2, 128, 128, 3)


def test_bytes_are_read_as_videos_and_named_by_their_example(textured):
    with open(textured, "rb") as file:
        encoded = file.read()
    np.testing.assert_array_equal(
        preprocessing().eval_inputs(example(encoded))["rgb"],
        preprocessing().eval_inputs(example(textured))["rgb"],
    )
    with pytest.raises(UnreadableVideo, match="^v: "):
        preprocessing().eval_inputs(example(encoded[:99]))["rgb"]


def test_fields_survive_json():
    for fields in (
        dict(),
        dict(crop=[96, 160], frame_rate=12.5, rgb=dict(mean=[0, 0.1, 1], std=[1, 2, 3])),
    ):
        chosen = preprocessing(**fields)
        again = Preprocessing.from_dict(json.loads(json.dumps(chosen.to_dict())))
        assert again == chosen
        assert hash(again) == hash(chosen)


def test_the_crop_size_is_height_and_width():
    assert preprocessing(crop=96).crop_size == (96, 96)
    assert preprocessing(crop=[96, 160]).crop_size == (96, 160)


@pytest.mark.parametrize(
    "fields, message",
    [
        (dict(num_frames=0), r"Preprocessing.num_frames is 0; wanted a whole number above 0"),
        (dict(stride=0), r"stride is 0"),
        (dict(resize=-1), r"resize is -1"),
        (dict(frame_rate=0), r"frame_rate is 0"),
        (dict(crop=0), r"crop is 0; wanted a whole number above 0 .*, or a sequence of length 2"),
        (dict(crop=(1, 2, 3)), r"crop is \(1, 2, 3\)"),
        (dict(rgb=dict(mean=(0.5,))), r"Rgb.mean is \(0.5,\); wanted"),
        (dict(modalities=("rgb", "rgb")), r"one or more distinct names; got \('rgb', 'rgb'\)"),
        (dict(modalities=()), r"one or more distinct names"),
        (dict(modalities=("rgb", "flwo")), r"names 'flwo'; .* Did you mean 'flow'.*target"),
        (
            dict(modalities=dict(rgb=Rgb(), again=Rgb())),
            r"needs modalities of which only one has rgb; got",
        ),
        (dict(strid=2), r"no field 'strid'. Did you mean 'stride'"),
    ],
)
def test_invalid_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        preprocessing(**fields)


def test_an_unknown_field_is_named():
    with pytest.raises(ValueError, match="no field 'num_frame'. Did you mean 'num_frames'"):
        Preprocessing.from_dict({"num_frame": 8})
