"""The evaluation of a split of real clips, over one device and eight."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video import metrics
from scenic_video.data.examples import Dataset, LabelSpace
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.evaluators.evaluator import Run
from scenic_video.evaluators.split import SplitEvaluation
from scenic_video.sharding import make_mesh
from scenic_video.tasks.task import Output
from scenic_video.trainer import TrainState

ZERO = jnp.zeros((), jnp.int32)
STATE = TrainState(ZERO + 5, {"scale": jnp.ones(())}, (), {}, None, ZERO)


@dataclasses.dataclass(frozen=True)
class Brightness:
    """A task whose metric, and only logit, is the mean brightness of a clip over its views."""

    def init(self, rng, batch):
        return {"params": {"scale": jnp.ones(())}}

    def __call__(self, variables, batch, *, rng, train):
        brightness = batch["inputs"]["rgb"].astype(jnp.float32).mean(axis=(1, 2, 3, 4, 5))
        mask = batch["mask"]
        mean = metrics.scalar((brightness * mask).sum() / jnp.maximum(mask.sum(), 1), mask.sum())
        logits = {"label": brightness[:, None]}
        return Output(jnp.zeros(()), mask.sum(), {"brightness": mean}, {}, logits)


@pytest.fixture(scope="module")
def dataset(clips):
    classes = LabelSpace({"label": tuple("abcdefg")})
    return Dataset("clips", {"train": clips[:3], "test": clips}, classes, fingerprint="f")


def make_run(dataset, num_devices=1):
    return Run(
        task=Brightness(),
        mesh=make_mesh(devices=jax.devices()[:num_devices]),
        dataset=dataset,
        preprocessing=Preprocessing(num_frames=2, resize=18, crop=16),
        train_split="train",
        test_split="test",
        batch_size=8,
    )


def with_broken(dataset, indices, path):
    path.write_bytes(b"no video")
    examples = [
        dataclasses.replace(example, video=str(path)) if i in indices else example
        for i, example in enumerate(dataset.splits["test"])
    ]
    return dataclasses.replace(dataset, splits={"test": examples})


@pytest.mark.parametrize("num_devices, batch_size", [(1, 4), (8, None)])
def test_every_example_counts_once_over_any_number_of_devices(dataset, num_devices, batch_size):
    done = []
    evaluator = SplitEvaluation(make_run(dataset, num_devices), views="2x1", batch_size=batch_size)
    result = evaluator(STATE, on_batch=lambda *numbers: done.append(numbers))
    assert result.ids == [example.id for example in dataset.splits["test"]]
    assert result.logits["label"].shape == (7, 1)
    assert result.metrics["brightness"] == pytest.approx(result.logits["label"].mean())
    assert (result.step, result.coverage) == (5, "decoded 7 of 7")
    assert done == ([(1, 2), (2, 2)] if batch_size else [(1, 1)])


def test_an_evaluation_of_another_split_is_of_its_examples(dataset):
    run = make_run(dataset)
    train, test = SplitEvaluation(run, split="train")(STATE), SplitEvaluation(run)(STATE)
    assert train.ids == test.ids[:3]
    np.testing.assert_array_equal(train.logits["label"], test.logits["label"][:3])


def test_what_cannot_be_read_is_left_out_of_the_metrics_and_named(dataset, tmp_path):
    whole = SplitEvaluation(make_run(dataset))(STATE).logits["label"][:, 0]
    broken = with_broken(dataset, {2, 5}, tmp_path / "broken.mp4")
    result = SplitEvaluation(make_run(broken))(STATE)
    assert result.metrics["brightness"] == pytest.approx(np.delete(whole, [2, 5]).mean())
    assert result.coverage == "decoded 5 of 7" and result.counts["videos decoded"] == 5
    assert [line.split(":")[1].strip() for line in result.remarks] == ["clip_2", "clip_5"]
    assert result.summary["num_unreadable"] == 2
    assert not result.arrays["logits/label"][[2, 5]].any()


def test_a_split_of_which_nothing_can_be_read_is_an_error(dataset, tmp_path):
    broken = with_broken(dataset, set(range(7)), tmp_path / "broken.mp4")
    with pytest.raises(ValueError, match="none of the 7 examples of 'test' can be read. The first"):
        SplitEvaluation(make_run(broken))(STATE)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"split": "val"}, "no split 'val'"),
        ({"views": "4"}, "such as 4x3"),
        ({"batch_size": 6}, "SplitEvaluation.batch_size=6 cannot be split over 8 devices"),
    ],
)
def test_what_cannot_work_is_refused_before_training(dataset, fields, message):
    with pytest.raises(ValueError, match=message):
        SplitEvaluation(make_run(dataset, 8), **fields)


def test_files_are_named_after_split_and_views(dataset):
    result = SplitEvaluation(make_run(dataset), views="2x3")(STATE)
    assert (result.heading("test"), result.file_name("test")) == ("test, 2x3 views", "test_2x3")


def test_evaluators_of_a_run_share_one_compiled_step(dataset):
    run = make_run(dataset)
    assert run.eval_step is dataclasses.replace(SplitEvaluation(run), views="2x1").run.eval_step
