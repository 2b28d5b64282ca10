"""Few-shot evaluation of real clips, over one device and eight."""

import dataclasses

import av
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.config import ConfigError
from scenic_video.data.examples import Dataset, Example, LabelSpace
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.input.views import Views
from scenic_video.evaluators.evaluator import Run
from scenic_video.evaluators.features import compile_features, extract
from scenic_video.evaluators.few_shot import FewShot
from scenic_video.evaluators.reading import Reading
from scenic_video.modalities.audio import Audio
from scenic_video.sharding import make_mesh
from scenic_video.tasks.task import Output
from scenic_video.trainer import TrainState

COLOURS = ((200, 60, 60), (60, 200, 60), (60, 60, 200))
ZERO = jnp.zeros((), jnp.int32)
STATE = TrainState(ZERO, {"scale": jnp.ones(())}, (), {}, None, ZERO)


@dataclasses.dataclass(frozen=True)
class MeanColour:
    """A task whose features are the mean colour of a clip, times its one parameter."""

    def init(self, rng, batch):
        return {"params": {"scale": jnp.ones(())}}

    def __call__(self, variables, batch, *, rng, train):
        features = self.features(variables, batch)
        return Output(jnp.zeros(()), batch["mask"].sum(), {}, {}, {"features": features})

    def features(self, variables, batch):
        views = batch["inputs"]["rgb"].astype(jnp.float32)
        return variables["params"]["scale"] * views.mean(axis=(1, 2, 3, 4))


@dataclasses.dataclass(frozen=True)
class Loudness(MeanColour):
    """The same of the mean loudness of a clip."""

    def features(self, variables, batch):
        return jnp.abs(batch["inputs"]["waveform"].astype(jnp.float32)).mean(axis=(1, 2))[:, None]


def write_clip(path, colour, rng, *, loudness=None):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        if loudness is not None:
            audio_stream = container.add_stream("aac", rate=16_000, layout="mono")
            noise = rng.normal(0, loudness, (1, 6_400)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16_000, 0
        shade = np.array(colour) + rng.integers(-20, 21, 3)
        for _ in range(4):
            image = np.broadcast_to(shade.astype(np.uint8), (32, 32, 3))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image.copy(), format="rgb24")))
        container.mux(stream.encode())
        if loudness is not None:
            container.mux([*audio_stream.encode(frame), *audio_stream.encode()])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """18 clips to train and 11 to test on, of three colours and, as another head, two loudnesses
    that no image shows."""
    folder, rng = tmp_path_factory.mktemp("colours"), np.random.default_rng(0)
    splits = {}
    for split, number in (("train", 18), ("test", 11)):
        splits[split] = []
        for i in range(number):
            path = folder / f"{split}_{i}.mp4"
            write_clip(path, COLOURS[i % 3], rng)
            labels = {"colour": (i % 3,), "loudness": (int(rng.integers(2)),)}
            splits[split].append(Example(path.stem, str(path), labels))
    classes = {"colour": ("red", "green", "blue"), "loudness": ("loud", "soft")}
    return Dataset("colours", splits, LabelSpace(classes))


def make_run(dataset, num_devices=1, batch_size=8):
    return Run(
        task=MeanColour(),
        mesh=make_mesh(devices=jax.devices()[:num_devices]),
        dataset=dataset,
        preprocessing=Preprocessing(num_frames=2, resize=18, crop=16),
        train_split="train",
        test_split="test",
        batch_size=batch_size,
    )


def few_shot(run, state=STATE, **fields):
    return FewShot(run, **fields)(state).metrics


def only(dataset, head):
    return dataclasses.replace(dataset, labels=LabelSpace({head: dataset.labels.classes[head]}))


def with_broken(dataset, split, index, path):
    path.write_bytes(b"no video")
    examples = list(dataset.splits[split])
    examples[index] = dataclasses.replace(examples[index], video=str(path))
    return dataclasses.replace(dataset, splits={**dataset.splits, split: examples})


@pytest.mark.parametrize("num_devices", [1, 8])
def test_every_example_counts_once_over_any_number_of_devices(dataset, num_devices):
    """11 examples in batches of 8: the last one is padded, also on devices of one row each."""
    run = make_run(dataset, num_devices)
    examples = dataset.splits["test"]
    calls = []
    found = extract(
        compile_features(run),
        STATE,
        Reading(run, examples, dataset.labels, Views(2, 1), run.batch_size),
        on_batch=lambda done, total: calls.append((done, total)),
    )
    assert found.positions.tolist() == list(range(11))
    assert found.labels["colour"].tolist() == [i % 3 for i in range(11)]
    np.testing.assert_allclose(found.values, [COLOURS[i % 3] for i in range(11)], atol=25)
    assert calls == [(1, 2), (2, 2)]


def test_colours_are_told_apart_by_one_shot(dataset):
    found = few_shot(make_run(only(dataset, "colour"), 8), shots=(1, 3), num_held_out=2)
    assert found["1shot_top1"] == found["3shot_top1"] == 1.0
    assert found["3shot_top1_std"] == 0.0
    assert found["test_videos"] == 11 and found["unreadable"] == 0


def test_each_head_has_numbers_of_its_own(dataset):
    found = few_shot(make_run(dataset), shots=(2,), num_held_out=2)
    assert found["colour_2shot_top1"] == 1.0
    assert found["loudness_2shot_top1"] < 0.9
    assert {"colour_2shot_l2", "loudness_2shot_l2", "loudness_2shot_top1_std"} < set(found)


def test_classes_that_have_too_few_are_counted(dataset):
    """Of red and green there are 6, of blue 2."""
    data, seen = only(dataset, "colour"), dataset.splits["train"]
    few = [example for i, example in enumerate(seen) if i % 3 < 2 or i < 6]
    data = dataclasses.replace(data, splits={**data.splits, "train": few})
    found = few_shot(make_run(data), shots=(2, 3), l2=(1.0,))
    assert found["3shot_short_classes"] == 1 and "2shot_short_classes" not in found
    with pytest.raises(ConfigError, match="needs 7 .* largest class of .* 'red', has 6"):
        FewShot(make_run(data), shots=(3, 7), l2=(1.0,))


def test_what_cannot_be_read_is_left_out_and_counted(dataset, tmp_path):
    data = only(dataset, "colour")
    data = with_broken(data, "test", 4, tmp_path / "a.mp4")
    data = with_broken(data, "train", 0, tmp_path / "b.mp4")
    found = few_shot(make_run(data), shots=(4,), num_held_out=2)
    assert found["test_videos"] == 10 and found["unreadable"] == 2
    assert found["4shot_top1"] == 1.0


def test_the_parameters_that_are_evaluated_are_used(dataset):
    """With the average of parameters at zero there is nothing to tell colours apart by."""
    averaged = STATE.replace(ema_params={"scale": jnp.zeros(())})
    found = few_shot(make_run(only(dataset, "colour")), averaged, shots=(4,), num_held_out=2)
    assert found["4shot_top1"] == pytest.approx(4 / 11)


def test_another_dataset_may_be_named_by_its_path(dataset, tmp_path):
    for split, examples in dataset.splits.items():
        names = dataset.labels.classes["colour"]
        rows = [f"{example.video},{names[example.labels['colour'][0]]}" for example in examples]
        (tmp_path / f"{split}.csv").write_text("\n".join(["path,colour", *rows]))
    other = dataclasses.replace(dataset, splits={})
    found = few_shot(make_run(other), dataset=str(tmp_path), shots=(2,), num_held_out=2)
    assert found["2shot_top1"] == 1.0 and found["test_videos"] == 11


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"shots": (0, 1)}, r"shots is \(0, 1\); wanted a sequence .* whole number above 0"),
        ({"l2": (0.0,)}, r"l2 is \(0.0,\); wanted a sequence .* number above 0"),
        ({"num_held_out": 0}, "num_held_out of 1 or more, .* 16 penalties; got num_held_out=0"),
        ({"shots": (6,)}, "Set fewer shots, or a single l2"),
        ({"num_seeds": 0}, "num_seeds is 0"),
        ({"test_split": "val"}, "no split 'val'"),
        ({"views": "4"}, "such as 4x3"),
    ],
)
def test_what_cannot_work_is_refused_before_training(dataset, fields, message):
    with pytest.raises(ValueError, match=message):
        FewShot(make_run(dataset), **fields)


def test_several_labels_a_video_are_refused(dataset):
    labels = dataclasses.replace(dataset.labels, multilabel=True)
    with pytest.raises(ConfigError, match="one label per video; 'colours' has several"):
        FewShot(make_run(dataclasses.replace(dataset, labels=labels)))


def test_a_task_without_features_is_refused(dataset):
    class Featureless:
        init, __call__ = MeanColour.init, MeanColour.__call__

    run = dataclasses.replace(make_run(dataset), task=Featureless())
    with pytest.raises(ValueError, match="Featureless has no features"):
        compile_features(run)


def test_clips_without_audio_have_no_features_where_audio_is_the_only_input(dataset, tmp_path):
    rng = np.random.default_rng(0)
    examples = []
    for i, loudness in enumerate((0.1, None, 0.2, 0.0)):
        write_clip(tmp_path / f"{i}.mp4", COLOURS[0], rng, loudness=loudness)
        examples.append(Example(str(i), str(tmp_path / f"{i}.mp4"), {"loudness": (0,)}))
    run = make_run(dataset, batch_size=4)
    audio = Audio(seconds=0.2, mean=0.0, std=1.0)
    audio_run = dataclasses.replace(
        run,
        task=Loudness(),
        preprocessing=Preprocessing(1, modalities=("audio",), audio=audio),
    )
    labels = only(dataset, "loudness").labels
    reading = Reading(audio_run, examples, labels, Views(), audio_run.batch_size)
    found = extract(compile_features(audio_run), STATE, reading)
    assert found.positions.tolist() == [0, 2] and found.values[0] < found.values[1]
