import dataclasses
import shutil
from typing import Any

import av
import numpy as np
import pytest

from scenic_video.cli import main
from scenic_video.data.decoding.containers import UnreadableVideo
from scenic_video.data.decoding.video_reader import VideoReader
from scenic_video.data.examples import Example
from scenic_video.data.flow import notes
from scenic_video.data.flow.reading import FULL_SCALE, check_flow, flow_path, motion_to_pixels
from scenic_video.data.input.geometry import Geometry
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.preparation.flow import write_flow
from scenic_video.data.sources.datasets import open_dataset
from scenic_video.modalities.flow import Flow

SHIFT = np.array([3, -2])
"""Pixels per frame to the right and downwards."""
LEVELS = np.round(128 + 127 * SHIFT / (FULL_SCALE * 96))


def drifting_frames(count: int = 12) -> np.ndarray:
    """A smooth texture that moves by `SHIFT` in every frame."""
    rng = np.random.default_rng(0)
    waves = np.fft.rfft2(rng.normal(size=(3, 96, 128))) * np.exp(
        -0.02 * np.add.outer(np.fft.fftfreq(96, 1 / 96) ** 2, np.fft.rfftfreq(128, 1 / 128) ** 2)
    )
    texture = np.fft.irfft2(waves, (96, 128)).transpose(1, 2, 0)
    texture = (128 + 45 * texture / texture.std()).clip(0, 255).astype(np.uint8)
    return np.stack([np.roll(texture, tuple(t * SHIFT[::-1]), (0, 1)) for t in range(count)])


@pytest.fixture(scope="module")
def film(tmp_path_factory, write_video) -> str:
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    return write_video(path, drifting_frames(), fps=10, options={"crf": "10"})


@pytest.fixture(scope="module")
def with_flow(film) -> Example:
    assert write_flow(film, flow_path(film))
    return Example("film", film, {})


def preprocessing(**fields: Any) -> Preprocessing:
    defaults: dict[str, Any] = dict(num_frames=4, resize=96, crop=64, modalities=("rgb", "flow"))
    return Preprocessing(**defaults | fields)


def test_flow_is_the_motion_of_the_frames(with_flow):
    flow = preprocessing().eval_inputs(with_flow)["flow"]
    assert flow.shape == (1, 4, 64, 64, 2) and flow.dtype == np.uint8
    inner = flow[0, :, 16:-16, 16:-16].astype(float)
    np.testing.assert_allclose(np.median(inner, axis=(0, 1, 2)), LEVELS, atol=3)
    assert np.abs(inner - LEVELS).mean() < 4


def test_flow_has_a_frame_for_every_frame_at_its_time(with_flow):
    with VideoReader(with_flow.video) as video, VideoReader(flow_path(with_flow.video)) as flow:
        np.testing.assert_allclose(flow.timestamps, video.timestamps, atol=1e-6)


def test_a_second_call_writes_nothing(with_flow):
    path = flow_path(with_flow.video)
    before = path.stat().st_mtime_ns
    assert not write_flow(with_flow.video, path)
    assert path.stat().st_mtime_ns == before


def test_flow_of_a_video_that_has_changed_is_computed_again(film, tmp_path, write_video):
    video = tmp_path / "v.mp4"
    shutil.copy(film, video)
    path = flow_path(video)
    assert write_flow(str(video), path, short_side=48)
    assert not write_flow(str(video), path, short_side=48)
    (tmp_path / "moved").mkdir()
    for file in (video, path):
        shutil.copy(file, tmp_path / "moved" / file.name)  # with a time of its own
    assert not write_flow(
        str(tmp_path / "moved/v.mp4"), tmp_path / "moved" / path.name, short_side=48
    )
    write_video(video, drifting_frames(6), fps=10)
    example = Example("v", str(video), {})
    assert notes.is_outdated(path, str(video))
    assert write_flow(str(video), path, short_side=48)
    with VideoReader(path) as flow:
        assert len(flow.timestamps) == 6
    assert not notes.is_outdated(path, str(video))
    preprocessing().eval_inputs(example)


def test_flow_of_other_settings_is_replaced_with_overwrite(film, tmp_path):
    path = tmp_path / "f.flow.mp4"
    assert write_flow(film, path, short_side=48, preset="fast")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="short_side=48 instead of 64, preset=fast instead of med"):
        write_flow(film, path, short_side=64)
    assert path.read_bytes() == before
    assert write_flow(film, path, short_side=64, overwrite=True)
    assert not write_flow(film, path, short_side=64, overwrite=True)
    with VideoReader(path) as flow:
        assert flow.read([0], lambda frame: frame.to_ndarray(format="rgb24")).shape[1] == 64


def test_flow_of_unknown_origin_is_replaced_only_with_overwrite(film, tmp_path):
    path = tmp_path / "f.flow.mp4"
    shutil.copy(film, path)
    with pytest.raises(ValueError, match="does not state how it was computed.*column flow"):
        write_flow(film, path, short_side=48)
    assert write_flow(film, path, short_side=48, overwrite=True)


def test_flow_that_a_manifest_names_is_never_written(film, tmp_path):
    shutil.copy(film, tmp_path / "v.mp4")
    shutil.copy(film, tmp_path / "own.mp4")
    shutil.copy(film, flow_path(tmp_path / "v.mp4"))  # another row's own flow
    before = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    (tmp_path / "train.csv").write_text(
        "path,start,flow,label\nv.mp4,,./v.mp4.flow.mp4,x\nv.mp4,0.5,,x\nown.mp4,,v.mp4,x\n"
    )
    assert (
        main(["data", "flow", str(tmp_path / "train.csv"), "--num-workers=0", "--overwrite"]) == 0
    )
    (tmp_path / "train.csv").unlink()
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == before


def test_flow_covers_the_time_of_frames_that_cannot_be_decoded(tmp_path, write_video):
    """The first or last frames are overwritten; the index lists all of them."""
    path = tmp_path / "v.mp4"
    write_video(path, drifting_frames(), fps=10, options={"g": "1", "bf": "0"})
    whole = path.read_bytes()
    begin, third = whole.index(b"mdat") + 4, len(whole) // 3
    for lost in (slice(begin, begin + third), slice(len(whole) - third, len(whole))):
        broken = bytearray(whole)
        broken[lost] = bytes(third)
        path.write_bytes(broken)
        assert write_flow(str(path), flow_path(path), short_side=48)
        with VideoReader(flow_path(path)) as flow:
            assert len(flow.timestamps) < 12 and flow.timestamps[-1] == pytest.approx(1.1)
        see = preprocessing(num_frames=12, modalities=("flow",))
        inputs = see.eval_inputs(Example("v", str(path), {}))
        assert inputs["flow"].shape == (1, 12, 64, 64, 2)


def test_a_tiny_video_is_reported_and_a_tiny_size_refused(film, tmp_path, write_video, capsys):
    shutil.copy(film, tmp_path / "v.mp4")
    write_video(tmp_path / "tiny.mp4", drifting_frames(4)[:, :8, :8])
    (tmp_path / "train.csv").write_text("path\ntiny.mp4\nv.mp4\n")
    command = ["data", "flow", str(tmp_path / "train.csv"), "--num-workers=0"]
    for size in (1, 3):
        assert main([*command, f"--short-side={size}"]) == 2
        assert f"short_side={size}: optical flow needs" in capsys.readouterr().err
    assert main([*command, "--short-side=48"]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "tiny.mp4: OpenCV cannot compute flow for 8x8 pixels" in printed
    assert "Flow of 1 videos written, 0 kept, 1 left out." in printed


def test_flow_is_cropped_like_the_frames_and_negated_when_flipped(with_flow, tmp_path):
    """Flow that encodes positions: u is the column, v the row."""
    rows, columns = np.mgrid[0:96, 0:128].astype(np.float32)
    unit = FULL_SCALE * 96 / 127
    motion = np.stack([columns - 64, rows - 48], axis=-1)[None].repeat(12, 0) * unit
    np.savez(tmp_path / "places.npz", flow=motion, timestamps=np.arange(12) / 10)
    example = dataclasses.replace(with_flow, flow=str(tmp_path / "places.npz"))
    corners = set()
    for seed in range(8):
        for flip in (False, True):
            rng = np.random.default_rng(seed)
            flow = preprocessing().train_inputs(example, rng, Geometry(flip=flip))["flow"]
            u, v = flow[0, ..., 0].astype(int) - 128, flow[0, ..., 1].astype(int) - 128
            falls = u[0, 0] > u[0, -1]
            assert not (falls and not flip)
            # In a flipped crop columns decrease to the right and are negated, so they increase.
            np.testing.assert_allclose(np.abs(np.diff(u, axis=1)), 1, atol=1)
            np.testing.assert_allclose(np.diff(v, axis=0), 1, atol=1)
            corners.add((u[0, 0], v[0, 0]))
    assert len(corners) > 8


def test_flipping_reverses_horizontal_motion(with_flow):
    seen = set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        flow = preprocessing().train_inputs(with_flow, rng, Geometry(flip=True))["flow"]
        u, v = np.median(flow[:, 16:-16, 16:-16].astype(float), axis=(0, 1, 2))
        assert v == pytest.approx(LEVELS[1], abs=3)
        seen.add(round((u - 128) / (LEVELS[0] - 128)))
    assert seen == {1, -1}


def test_flow_alone_is_cropped_like_flow_with_frames(with_flow):
    alone = preprocessing(modalities=("flow",)).eval_inputs(with_flow, num_clips=2, num_crops=3)
    both = preprocessing().eval_inputs(with_flow, num_clips=2, num_crops=3)
    assert set(alone) == {"flow"} and alone["flow"].shape[0] == 6
    np.testing.assert_array_equal(alone["flow"], both["flow"])


def test_an_archive_is_read_by_its_times(with_flow, tmp_path):
    motion = np.zeros((3, 48, 64, 2), np.float32)
    motion[1, ..., 0] = FULL_SCALE * 48
    np.savez(tmp_path / "f.npz", flow=motion, timestamps=[0.0, 0.45, 0.65])
    example = dataclasses.replace(with_flow, flow=str(tmp_path / "f.npz"), start=0.3, end=0.8)
    flow = preprocessing(num_frames=5).eval_inputs(example)["flow"][0]
    np.testing.assert_allclose(flow[:, 32, 32, 0], [128, 128, 255, 255, 128], atol=2)


def test_displacements_do_not_depend_on_the_frame_size():
    small, large = (np.full((s, s, 2), s / 32, np.float32) for s in (64, 256))
    np.testing.assert_array_equal(motion_to_pixels(small)[0, 0], motion_to_pixels(large)[0, 0])
    assert motion_to_pixels(np.full((8, 8, 2), -99.0))[0, 0].tolist() == [1, 1, 128]


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"motion": np.zeros((3, 8, 8, 2))}, "wanted 'flow'.*motion"),
        ({"flow": np.zeros((3, 8, 8, 3))}, "wanted 'flow'"),
        ({"flow": np.zeros((3, 8, 8, 2))}, r"wanted 'timestamps' \[3\]"),
        ({"flow": np.full((12, 8, 8, 2), np.nan), "timestamps": np.arange(12) / 10}, "not finite"),
        ({"flow": np.zeros((3, 8, 8, 2)), "timestamps": ["a", "b", "c"]}, "wanted 'timestamps'"),
        (
            {"flow": np.zeros((3, 8, 8, 2)), "timestamps": [0, np.nan, 1]},
            "finite, increasing seconds",
        ),
        ({"flow": np.zeros((3, 8, 8, 2)), "timestamps": [0.0, 0.2, 0.1]}, "increasing seconds"),
        ({"flow": np.zeros((3, 8, 8, 2)), "timestamps": [0.0, 0.1, 0.1]}, "increasing seconds"),
        ({"flow": np.zeros((3, 8, 8, 2), np.uint8), "timestamps": np.arange(3)}, "is of uint8"),
        (None, "No such file"),
    ],
)
def test_unreadable_flow_is_reported(with_flow, tmp_path, arrays, message):
    path = tmp_path / "f.npz"
    if arrays is not None:
        np.savez(path, **arrays)
    example = dataclasses.replace(with_flow, flow=str(path))
    with pytest.raises(UnreadableVideo, match=f"(?s)f.npz.*{message}|{message}.*f.npz"):
        preprocessing().eval_inputs(example)


@pytest.mark.parametrize("start, end", [(0.0, None), (0.4, 1.0)])
def test_flow_that_does_not_cover_the_frames_is_refused(with_flow, tmp_path, start, end):
    """0.0 to 0.2 s of flow; as an archive and as a video."""
    np.savez(tmp_path / "f.npz", flow=np.zeros((3, 48, 64, 2)), timestamps=np.arange(3) / 10)
    short = VideoReader(flow_path(with_flow.video), end=0.3)
    with short, av.open(str(tmp_path / "f.mp4"), "w") as written:
        stream = written.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for _, frame in short.frames():
            written.mux(stream.encode(frame.reformat(format="yuv420p")))
        written.mux(stream.encode())
    for name in ("f.npz", "f.mp4"):
        example = dataclasses.replace(with_flow, flow=str(tmp_path / name), start=start, end=end)
        times = np.arange(round(10 * start), round(10 * (end or 1.2))) / 10
        wanted = rf"{name}.* covers 0.000 to 0.300 s, but frames from {start:.3f} to .* the whole"
        for look in (
            lambda example=example: preprocessing(num_frames=12, short_clips="pad").eval_inputs(
                example
            ),
            lambda example=example, times=times: check_flow(example, times),
        ):
            with pytest.raises(UnreadableVideo, match=wanted):
                look()


def test_flow_may_lack_the_last_frame_or_be_between_frames(with_flow, tmp_path):
    for number, times in enumerate((np.arange(11) / 10, np.arange(11) / 10 + 0.05, [0, 0.5])):
        path = tmp_path / f"{number}.npz"
        np.savez(path, flow=np.zeros((len(times), 48, 64, 2)), timestamps=times)
        example = dataclasses.replace(with_flow, flow=str(path))
        preprocessing(num_frames=12).eval_inputs(example)


def test_a_looped_clip_loops_its_flow(with_flow):
    inputs = preprocessing(num_frames=20, stride=2).eval_inputs(with_flow)
    np.testing.assert_array_equal(inputs["flow"][0, :6], inputs["flow"][0, 6:12])


def test_missing_flow_is_an_error_with_a_remedy(film, tmp_path, write_video, moving_frames):
    path = write_video(tmp_path / "v.mp4", moving_frames(6, 32, 32))
    with pytest.raises(UnreadableVideo, match="scenic-video data flow"):
        preprocessing().eval_inputs(Example("v", path, {}))
    with pytest.raises(ValueError, match="is in TFDS records"):
        with open(film, "rb") as file:
            preprocessing().eval_inputs(Example("v", file.read(), {}))


def test_the_command_writes_flow_beside_every_video_once(tmp_path, film, capsys):
    folder = tmp_path / "videos"
    for name in ("a/1.mp4", "a/2.mp4", "b/1.mp4"):
        path = folder / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(film, "rb") as file:
            path.write_bytes(file.read())
    (folder / "train" / "b" / "broken.mp4").write_bytes(b"nothing")
    command = ["data", "flow", str(folder), "--short-side=48", "--preset=fast", "--num-workers=0"]
    assert main(command) == 1
    printed = capsys.readouterr().out
    assert "broken.mp4" in printed and "Flow of 3 videos written, 0 kept, 1 left out." in printed
    examples = open_dataset(folder).splits["train"]
    assert len(examples) == 4  # flow is no video of its own
    flow = preprocessing().eval_inputs(examples[0])["flow"]
    np.testing.assert_allclose(np.median(flow[..., 16:-16, :, :]), np.median(LEVELS), atol=20)
    assert main(command) == 1
    assert "0 videos written, 3 kept" in capsys.readouterr().out


def test_a_manifest_may_name_the_flow(tmp_path, with_flow):
    (tmp_path / "train.csv").write_text(
        f"path,flow,label\n{with_flow.video},{flow_path(with_flow.video)},x\n"
    )
    (example,) = open_dataset(tmp_path / "train.csv").splits["train"]
    assert example.flow == str(flow_path(with_flow.video)) and example.labels == {"label": (0,)}


def test_flow_may_be_in_the_folder_that_preprocessing_names(tmp_path, film, capsys):
    folder, out = tmp_path / "videos" / "train" / "a", tmp_path / "flow"
    folder.mkdir(parents=True)
    shutil.copy(film, folder / "1.mp4")
    flags = ["--short-side=48", "--preset=fast", "--num-workers=1", f"--out={out}"]
    assert main(["data", "flow", str(tmp_path / "videos"), *flags]) == 0
    assert "Flow of 1 videos written" in capsys.readouterr().out
    assert [path.name for path in folder.iterdir()] == ["1.mp4"]
    example = open_dataset(tmp_path / "videos").splits["train"][0]
    with pytest.raises(UnreadableVideo, match="no optical flow found at"):
        preprocessing().eval_inputs(example)
    flow = preprocessing(flow=Flow(folder=str(out))).eval_inputs(example)["flow"]
    np.testing.assert_allclose(np.median(flow[..., 16:-16, :, :]), np.median(LEVELS), atol=20)


def test_a_folder_that_cannot_be_written_to_is_refused_at_the_start(tmp_path, film, capsys):
    (tmp_path / "train" / "a").mkdir(parents=True)
    shutil.copy(film, tmp_path / "train" / "a" / "1.mp4")
    for out in ("/proc/none", film):
        assert main(["data", "flow", str(tmp_path), f"--out={out}"]) == 2
        said = capsys.readouterr().err
        assert f"Cannot write to {out}" in said and "--out=FOLDER" in said
