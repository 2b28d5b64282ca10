import csv
import dataclasses
import functools
import hashlib
import json
import os
import subprocess
import sys
from typing import Any

import av
import numpy as np
import pytest

from scenic_video.data.sources import datasets
from scenic_video.data.synthetic import generation as synthetic
from scenic_video.data.synthetic.audio import SAMPLE_RATE, render_audio
from scenic_video.data.synthetic.frames import render_frames
from scenic_video.data.synthetic.scenes import (
    ACTIONS,
    AUDIO_CLASSES,
    DURATION,
    MOTIONS,
    SHAPES,
    poses,
    sample_scene,
)
from scenic_video.data.synthetic_settings import Settings

SMALL: dict[str, Any] = {"num_clips": 15, "seed": 3, "size": 32, "seconds": 1.0}


def settings(**changes: Any) -> dict[str, Any]:
    return SMALL | changes


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return synthetic.synthesize(tmp_path_factory.mktemp("synthetic") / "clips", **SMALL)


def contents(directory):
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def scene_of(action, seed=0, *, num_frames=21):
    rng = np.random.default_rng([seed, action])
    return sample_scene(rng, action=action, num_frames=num_frames, max_distractors=2)


def reversed_in_time(scene):
    return dataclasses.replace(
        scene,
        action=scene.action ^ 1,
        onset=1 - scene.onset - scene.duration,
        shake=scene.shake[::-1],
    )


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# The order of frames


@pytest.mark.parametrize("action", range(len(ACTIONS)), ids=ACTIONS)
def test_a_clip_played_backwards_is_a_clip_of_the_partner_action(action):
    rng = np.random.default_rng(0)
    scene = scene_of(action)
    forwards = render_frames(scene, size=48, noise=0.0, rng=rng)
    partner = render_frames(reversed_in_time(scene), size=48, noise=0.0, rng=rng)
    difference = np.abs(forwards[::-1].astype(int) - partner.astype(int))
    assert difference.max() <= 1
    assert np.abs(forwards.astype(int) - partner.astype(int)).max() > 50


def test_the_reversed_window_is_as_likely_as_the_window():
    windows = np.array(
        [(scene.onset, scene.duration) for scene in (scene_of(0, seed) for seed in range(1000))]
    )
    onset, duration = windows.T
    mirrored = 1 - onset - duration
    levels = np.linspace(0.05, 0.95, 10)
    np.testing.assert_allclose(np.quantile(onset, levels), np.quantile(mirrored, levels), atol=0.02)
    assert onset.min() >= 0 and mirrored.min() >= 0
    assert duration.min() >= DURATION[0] and duration.max() <= DURATION[1]
    assert abs(np.corrcoef(onset - mirrored, duration)[0, 1]) < 0.06


def test_everything_else_is_independent_of_the_action():
    first, second = (
        sample_scene(np.random.default_rng(7), action=action, num_frames=9, max_distractors=2)
        for action in (0, 1)
    )
    for field in dataclasses.fields(first):
        if field.name in ("action", "actor", "distractors"):
            continue
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))
    np.testing.assert_array_equal(first.actor.colour, second.actor.colour)


@functools.cache
def moments(action, frame, num_scenes=500):
    """Mean and deviation of the position, size and brightness of the actor in one frame."""
    shown = []
    for seed in range(num_scenes):
        pose = poses(scene_of(action, seed))
        index = np.random.default_rng(seed).integers(21) if frame is None else frame
        shown.append([values[index] for values in (pose.x, pose.y, pose.radius, pose.brightness)])
    return np.concatenate([np.mean(shown, 0), np.std(shown, 0)])


@pytest.mark.parametrize("motion", range(len(MOTIONS)), ids=MOTIONS)
def test_single_frames_of_all_actions_look_alike(motion):
    reference = moments(0, None)
    for action in (2 * motion, 2 * motion + 1):
        np.testing.assert_allclose(moments(action, None), reference, atol=0.05)


@pytest.mark.parametrize("motion", range(len(MOTIONS)), ids=MOTIONS)
def test_the_middle_frame_is_equally_likely_for_both_partners(motion):
    np.testing.assert_allclose(moments(2 * motion, 10), moments(2 * motion + 1, 10), atol=0.05)


@pytest.mark.parametrize(
    ("action", "quantity", "sign"),
    [
        ("move_left", "x", -1),
        ("move_right", "x", 1),
        ("move_up", "y", -1),
        ("move_down", "y", 1),
        ("grow", "radius", 1),
        ("shrink", "radius", -1),
        ("spin_clockwise", "angle", 1),
        ("spin_counterclockwise", "angle", -1),
    ],
)
def test_actions_match_their_names(action, quantity, sign):
    for seed in range(20):
        values = getattr(poses(scene_of(ACTIONS.index(action), seed)), quantity)
        assert sign * (values[-1] - values[0]) > 0.05


@pytest.mark.parametrize("seed", range(10))
def test_events_happen_in_the_order_of_the_name(seed):
    for action, flash_is_first in (("flash_then_hop", True), ("hop_then_flash", False)):
        scene = dataclasses.replace(scene_of(ACTIONS.index(action), seed), shake=np.zeros((21, 2)))
        pose = poses(scene)
        flash, hop = np.argmax(pose.brightness), np.argmin(pose.y)
        assert (flash < hop) == flash_is_first
        assert not np.any((pose.brightness > 0.05) & (pose.y < pose.y.max() - 0.02))


def actor_alone(shape, angle, *, size=64):
    """A frame with only the actor, in the middle, and the pixels that it covers."""
    scene = scene_of(0)
    actor = dataclasses.replace(
        scene.actor, shape=SHAPES.index(shape), x=0.0, y=0.0, radius=0.3, angle=angle
    )
    scene = dataclasses.replace(
        scene,
        actor=actor,
        distractors=(),
        travel=0.0,
        hop=0.0,
        flash=0.0,
        rest=(0.0,) * len(MOTIONS),
        shake=np.zeros((2, 2)),
    )
    image = render_frames(scene, size=size, noise=0.0, rng=np.random.default_rng(0))[0]
    return image, np.abs(image - actor.colour).sum(-1) < 10


def test_growing_angles_turn_clockwise_on_the_screen():
    places = []
    for angle in np.arange(4) * np.pi / 2:
        _, covered = actor_alone("cross", angle)
        places.append(np.argwhere(covered).mean(0) - 31.5)
    down, across = np.array(places).T  # the arm that the cross lacks shifts its weight
    np.testing.assert_array_equal(np.sign(np.round(across)), [1, 0, -1, 0])
    np.testing.assert_array_equal(np.sign(np.round(down)), [0, 1, 0, -1])


@pytest.mark.parametrize("shape", SHAPES)
def test_rotation_of_every_shape_is_visible(shape):
    frames = [actor_alone(shape, angle)[0].astype(int) for angle in np.arange(8) * np.pi / 4]
    for one, other in zip(frames, frames[1:] + frames[:1], strict=True):
        assert (np.abs(one - other).max(-1) > 20).mean() > 0.01
    opposite = np.abs(frames[0] - frames[4]).max(-1)
    assert (opposite > 20).mean() > 0.01


# Audio


def pitch(audio, seed):
    """The peak of the spectrum in each 50 ms that contain a tone."""
    wave = render_audio(audio, seconds=1.75, rng=np.random.default_rng(seed))
    pieces = wave[: len(wave) // 800 * 800].reshape(-1, 800)
    loud = pieces[pieces.std(1) > 0.1]
    return np.argmax(np.abs(np.fft.rfft(loud * np.hanning(800), 4096)), 1) * SAMPLE_RATE / 4096


@pytest.mark.parametrize("seed", range(5))
def test_audio_matches_its_name(seed):
    pitches = {name: pitch(index, seed) for index, name in enumerate(AUDIO_CLASSES)}
    for name, rising in (("rise", 1), ("fall", -1), ("low_then_high", 1), ("high_then_low", -1)):
        assert rising * np.log2(pitches[name][-1] / pitches[name][0]) > 0.8
    for name in ("rise", "fall"):
        assert len(np.unique(pitches[name])) > 10
    for name in ("low_then_high", "high_then_low"):
        assert np.abs(np.diff(np.log2(pitches[name]))).max() > 0.8


# Files


def test_clips_are_h264_and_aac_of_the_given_size(directory):
    for path in sorted(directory.glob("*/*.mp4")):
        with av.open(str(path)) as container:
            video, audio_stream = container.streams.video[0], container.streams.audio[0]
            assert (video.codec_context.name, audio_stream.codec_context.name) == ("h264", "aac")
            assert (video.width, video.height, video.average_rate) == (32, 32, 12)
            assert (audio_stream.rate, audio_stream.channels) == (SAMPLE_RATE, 1)
            kinds = [type(frame) for frame in container.decode(video=0, audio=0)]
            assert kinds.count(av.VideoFrame) == 12


def test_encoding_preserves_frames_and_audio(directory):
    chosen = Settings(**SMALL)
    scene, rng = synthetic.sample_scene_of(chosen, "train", 4)
    render_audio(scene.audio, seconds=chosen.seconds, rng=rng)
    rendered = render_frames(scene, size=chosen.size, noise=chosen.noise, rng=rng)
    with av.open(str(directory / "train" / "00004.mp4")) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert np.abs(np.stack(decoded).astype(int) - rendered).mean() < 12


def test_manifests_list_every_clip_with_all_its_labels(directory):
    train, test = table(directory / "train.csv"), table(directory / "test.csv")
    assert (len(train), len(test)) == (12, 3)
    assert [row["action"] for row in train] == [ACTIONS[index % 10] for index in range(12)]
    for row in train + test:
        assert (directory / row["path"]).is_file()
        assert set(row) == {"path", "action", "shape", "audio", "event"}
        assert all(row[head] in synthetic.CLASSES[head] for head in row if head != "path")
        motion, audio = row["event"].split("+")
        assert motion == MOTIONS[ACTIONS.index(row["action"]) // 2]
        assert audio == row["audio"]


def test_the_same_settings_give_the_same_bytes_from_several_processes(directory, tmp_path):
    wanted = contents(directory)
    assert contents(synthetic.synthesize(tmp_path / "again", **SMALL)) == wanted
    spawned = synthetic.synthesize(tmp_path / "spawned", num_workers=2, **SMALL)
    assert contents(spawned) == wanted


def test_clips_differ_between_splits_and_seeds(directory, tmp_path):
    other = synthetic.synthesize(tmp_path / "other", **settings(seed=4))
    videos = [data for name, data in contents(directory).items() if name.endswith("mp4")]
    videos += [data for name, data in contents(other).items() if name.endswith("mp4")]
    assert len({hashlib.sha256(data).digest() for data in videos}) == 30


def test_an_interrupted_call_is_completed_by_the_next(directory, tmp_path):
    class Interrupt(Exception):
        pass

    def stop_at_five(done, total):
        assert total == 15
        if done == 5:
            raise Interrupt

    with pytest.raises(Interrupt):
        synthetic.synthesize(tmp_path / "clips", progress=stop_at_five, **SMALL)
    assert not (tmp_path / "clips" / "train.csv").exists()
    seen = []
    synthetic.synthesize(
        tmp_path / "clips", progress=lambda done, total: seen.append((done, total)), **SMALL
    )
    assert contents(tmp_path / "clips") == contents(directory)
    assert seen == [(done, 15) for done in range(6, 16)]


def test_a_second_call_does_nothing(directory):
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    synthetic.synthesize(directory, progress=lambda done, total: pytest.fail("wrote"), **SMALL)
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*")} == before


def test_other_settings_are_refused_by_name(directory):
    with pytest.raises(ValueError, match="other settings: seed=3 instead of 4, noise=5.0 instead"):
        synthetic.synthesize(directory, **settings(seed=4, noise=2.0))


def test_clips_of_another_generator_are_refused(directory, tmp_path):
    (tmp_path / "synthetic.json").write_text(
        json.dumps(json.loads((directory / "synthetic.json").read_text()) | {"generator": 0})
    )
    with pytest.raises(ValueError, match="generator=0 instead of 1"):
        synthetic.synthesize(tmp_path, **SMALL)


def test_a_folder_of_other_data_is_left_alone(tmp_path):
    (tmp_path / "train.csv").write_text("path,label\n")
    with pytest.raises(ValueError, match="was not made here"):
        synthetic.synthesize(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_clips": 1}, "num_clips is 1; wanted a whole number from 2 up"),
        ({"size": 33}, "size >= 16 and even"),
        ({"frame_rate": 0}, "frame_rate is 0"),
        ({"seconds": 0.1}, "2 frames"),
        ({"noise": -1.0}, "noise is -1.0"),
        ({"max_distractors": 5}, "max_distractors is 5"),
        ({"test_fraction": 0.0}, "test_fraction is 0.0"),
        ({"nois": 2.0}, "no field 'nois'. Did you mean 'noise'?"),
    ],
)
def test_impossible_settings_are_errors(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        synthetic.synthesize(tmp_path, **settings(**wrong))
    assert not list(tmp_path.iterdir())


def test_the_number_of_clips_is_required(tmp_path):
    with pytest.raises(ValueError, match="need num_clips"):
        synthetic.synthesize(tmp_path, seed=1)


# The dataset


def test_one_head(directory):
    dataset = synthetic.dataset(str(directory), **SMALL)
    assert dataset.labels.classes == {"action": ACTIONS}
    assert [example.labels["action"] for example in dataset.splits["train"]] == [
        (index % 10,) for index in range(12)
    ]
    assert not dataset.flip_safe and not dataset.labels.multilabel


def test_heads_can_be_renamed(directory):
    heads = {"verb": "action", "noun": "shape"}
    dataset = synthetic.dataset(str(directory), heads=heads, **SMALL)
    assert dataset.labels.num_classes == {"verb": 10, "noun": 4}
    rows = table(directory / "test.csv")
    assert [SHAPES[example.labels["noun"][0]] for example in dataset.splits["test"]] == [
        row["shape"] for row in rows
    ]


def test_a_clip_may_have_several_labels(directory):
    dataset = synthetic.dataset(str(directory), heads="shapes", **SMALL)
    assert dataset.labels.multilabel
    counts = {len(example.labels["shapes"]) for example in dataset.splits["train"]}
    assert counts <= {1, 2, 3} and len(counts) > 1
    shapes = synthetic.dataset(str(directory), heads="shape", **SMALL)
    for split, examples in shapes.splits.items():
        for one, several in zip(examples, dataset.splits[split], strict=True):
            assert one.id == several.id and one.labels["shape"][0] in several.labels["shapes"]
            assert os.path.samefile(one.video, several.video)


def test_single_labels_and_multi_labels_cannot_be_combined(directory):
    with pytest.raises(ValueError, match="shapes, action cannot be combined"):
        synthetic.dataset(str(directory), heads=["shapes", "action"], **SMALL)


def test_every_frame_is_a_labelled_image(directory):
    dataset = synthetic.dataset(str(directory), heads=["place", "size"], **SMALL)
    clips = synthetic.dataset(str(directory), heads="action", **SMALL).splits["test"]
    settings = Settings.of(SMALL)
    frames = dataset.splits["test"]
    assert len(frames) == len(clips) * settings.num_frames
    first = synthetic.sample_scene_of(settings, "test", 0)[0]
    for example, x in zip(frames, poses(first).x, strict=False):
        place = dataset.labels.classes["place"][example.labels["place"][0]]
        assert place.endswith("left" if x < -0.12 else "right" if x > 0.12 else "centre")
        assert os.path.samefile(example.video, clips[0].video)


def test_the_audiovisual_label_needs_frames_and_audio(directory):
    dataset = synthetic.dataset(str(directory), heads=["event"], **SMALL)
    assert dataset.labels.num_classes == {"event": 20}
    for example, row in zip(dataset.splits["test"], table(directory / "test.csv"), strict=True):
        motion, audio = divmod(example.labels["event"][0], 4)
        assert AUDIO_CLASSES[audio] == row["audio"]
        assert motion == ACTIONS.index(row["action"]) // 2


def test_audio_is_independent_of_the_action():
    chosen = Settings(num_clips=2)
    counts = np.zeros((10, 4))
    for index in range(1000):
        scene, _ = synthetic.sample_scene_of(chosen, "train", index)
        counts[scene.action, scene.audio] += 1
    assert counts.min() > 8 and counts.max() < 45


def test_an_unknown_head_is_an_error(directory):
    with pytest.raises(ValueError, match="no label 'actions'.*Did you mean 'action'"):
        synthetic.dataset(str(directory), heads=("actions",), **SMALL)


def test_the_path_of_the_folder_is_the_same_dataset(directory):
    dataset = synthetic.dataset(str(directory), **SMALL)
    assert datasets.open_dataset(directory) == dataset
    both = datasets.open_dataset(str(directory), heads=["action", "audio"])
    assert both.labels.num_classes == {"action": 10, "audio": 4}


def test_a_dataset_synthesizes_what_is_missing(tmp_path):
    dataset = synthetic.dataset(str(tmp_path / "new"), **SMALL)
    assert [len(split) for split in dataset.splits.values()] == [12, 3]
    assert dataset.fingerprint == synthetic.dataset(str(tmp_path / "new"), **SMALL).fingerprint


def test_no_tensorflow_and_no_jax_are_imported():
    code = (
        "import sys, scenic_video.data.synthetic.generation, scenic_video.data.sources.datasets; "
        "print([name for name in ('tensorflow', 'tensorflow_datasets', 'jax') "
        "if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
