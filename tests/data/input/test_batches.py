import itertools
import multiprocessing
import os
import signal
import stat
from typing import Any

import jax
import numpy as np
import pytest

from scenic_video.data.examples import Example, LabelSpace
from scenic_video.data.input.bad_files import BadFiles, TooManyBadFiles
from scenic_video.data.input.batches import (
    TrainingBatches,
    batch_examples,
    eval_batches,
    train_batches,
)
from scenic_video.data.input.feed import Feed
from scenic_video.data.input.geometry import Geometry
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.input.rows import EvaluationRow, TrainingRow
from scenic_video.data.input.views import Views

LABELS = LabelSpace({"label": tuple("abcdefg")})
PREPROCESSING = Preprocessing(num_frames=4, resize=32, crop=24)
BATCH_SIZE = 4
GEOMETRY = Geometry(scale_jitter=(0.9, 1.33), flip=True)
ROW_FIELDS = {"preprocessing", "seed", "decode_timeout"}


def batches_of(clips, num_steps: int, **kwargs) -> list[dict]:
    """The first training batches of seed 0, with all random choices."""
    with training(clips, **kwargs) as batches:
        return list(itertools.islice(batches, num_steps))


def training(clips, **kwargs) -> TrainingBatches:
    fields: dict[str, Any] = dict(
        labels=LABELS, preprocessing=PREPROCESSING, seed=0, geometry=GEOMETRY
    )
    fields |= {name: kwargs.pop(name) for name in ROW_FIELDS & kwargs.keys()}
    return train_batches(TrainingRow(clips, **fields), batch_size=BATCH_SIZE, **kwargs)


@pytest.fixture(scope="module")
def straight(clips):
    """Six steps are three and a half epochs of the seven clips."""
    return batches_of(clips, 6, num_threads=1)


def assert_same(batches, others):
    assert len(batches) == len(others)
    jax.tree.map(np.testing.assert_array_equal, batches, others)


def test_batch_has_the_documented_arrays(straight):
    batch = straight[0]
    assert (batch["inputs"]["rgb"].shape, batch["inputs"]["rgb"].dtype) == ((4, 4, 24, 24, 3), "u1")
    assert (batch["label"]["label"].shape, batch["label"]["label"].dtype) == ((4,), "i4")
    assert (batch["mask"].tolist(), batch["mask"].dtype) == ([1.0] * 4, "f4")


def test_every_epoch_has_each_clip_once_in_a_new_order(straight):
    order = np.concatenate([batch["label"]["label"] for batch in straight])
    epochs = [order[start : start + 7].tolist() for start in (0, 7, 14)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_same_clip_is_cropped_differently_in_every_epoch(straight):
    order = np.concatenate([batch["label"]["label"] for batch in straight])
    videos = np.concatenate([batch["inputs"]["rgb"] for batch in straight])
    seen = [videos[order == number] for number in range(7)]
    different = [bool((first != second).any()) for first, second, *_ in seen]
    assert sum(different) >= 6


def test_next_seed_does_not_shift_epochs(clips, straight):
    order = np.concatenate([batch["label"]["label"] for batch in straight])
    other = np.concatenate([batch["label"]["label"] for batch in batches_of(clips, 6, seed=1)])
    assert other[:7].tolist() not in (order[:7].tolist(), order[7:14].tolist())


@pytest.mark.parametrize("num_threads", [2, 5, 16])
def test_batches_are_the_same_for_any_number_of_threads(clips, straight, num_threads):
    assert_same(batches_of(clips, 6, num_threads=num_threads), straight)


@pytest.mark.parametrize("hosts", [[range(0, 2), range(2, 4)], [[3, 0], [1], [2]]])
def test_hosts_together_load_the_global_batch(clips, straight, hosts):
    fed = [batches_of(clips, 4, rows=rows) for rows in hosts]
    order = np.argsort([row for rows in hosts for row in rows])
    whole = [
        jax.tree.map(lambda *parts: np.concatenate(parts)[order], *parts)
        for parts in zip(*fed, strict=True)
    ]
    assert_same(whole, straight[:4])


def test_resuming_within_an_epoch_continues_exactly(clips, straight):
    assert_same(batches_of(clips, 3, start_step=3), straight[3:])
    assert_same(
        batches_of(clips, 3, start_step=3, rows=[2]), [rows_of(b, [2]) for b in straight[3:]]
    )


def rows_of(batch, rows):
    return jax.tree.map(lambda x: x[rows], batch)


def test_batches_are_the_same_from_worker_processes(clips, straight):
    assert_same(batches_of(clips, 4, start_step=2, num_workers=2, num_threads=2), straight[2:])


def test_workers_ignore_signals_and_end_with_their_iterator(clips, straight):
    before = set(multiprocessing.active_children())
    with training(clips, num_workers=1, num_threads=1) as batches:
        feed = Feed(batches, jax.device_put)
        first = next(feed)
        (worker,) = set(multiprocessing.active_children()) - before
        assert worker.pid is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(worker.pid, number)
        rest = [next(feed) for _ in range(5)]
        assert worker.is_alive()
        # Compared at the end: the arrays must not be views of memory shared with workers.
        assert_same([first, *rest], straight)
    assert not worker.is_alive()


def test_clips_of_a_step_are_listed_without_decoding(clips, straight):
    for step in (0, 1, 5):
        named = batch_examples(clips, seed=0, batch_size=BATCH_SIZE, step=step)
        assert [e.labels["label"][0] for e in named] == straight[step]["label"]["label"].tolist()


def test_multilabel_batches_are_multi_hot(clips):
    examples = [Example(e.id, e.video, {"label": (0, 6)}) for e in clips]
    labels = LabelSpace(LABELS.classes, multilabel=True)
    load = TrainingRow(examples, labels, PREPROCESSING, seed=0)
    with train_batches(load, batch_size=2) as batches:
        label = next(batches)["label"]["label"]
    assert label.dtype == np.float32
    np.testing.assert_array_equal(label, [[1, 0, 0, 0, 0, 0, 1]] * 2)


@pytest.fixture
def with_bad_file(clips, tmp_path):
    """The clips, with an unreadable one at position 2."""
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no video at all" * 20)
    return [*clips[:2], Example("broken", str(path), {"label": (2,)}), *clips[3:]]


def test_a_bad_file_is_replaced_by_the_same_clip_for_any_number_of_threads(with_bad_file, tmp_path):
    def run(name: str, **kwargs):
        bad_files = BadFiles(tmp_path / name, num_examples=7, max_share=0.2)
        return batches_of(with_bad_file, 4, bad_files=bad_files, **kwargs), bad_files

    batches, bad_files = run("a.jsonl", num_threads=1)
    others, other_bad_files = run("b.jsonl", num_threads=3)
    assert_same(batches, others)
    assert len(bad_files) == len(other_bad_files) == 1
    assert (tmp_path / "a.jsonl").read_text() == (tmp_path / "b.jsonl").read_text()
    labels = np.concatenate([batch["label"]["label"] for batch in batches])
    assert len(labels) == 16 and 2 not in labels
    assert all(batch["inputs"]["rgb"].any(axis=(1, 2, 3, 4)).all() for batch in batches)


def test_bad_files_of_worker_processes_are_listed(with_bad_file, tmp_path):
    bad_files = BadFiles(tmp_path / "bad_files.jsonl", num_examples=7, max_share=0.2)
    batches_of(with_bad_file, 2, num_workers=1, num_threads=1, bad_files=bad_files)
    assert '"broken"' in (tmp_path / "bad_files.jsonl").read_text()


def test_training_stops_when_too_many_files_are_bad(with_bad_file, tmp_path):
    bad_files = BadFiles(tmp_path / "bad_files.jsonl", num_examples=7)
    with pytest.raises(TooManyBadFiles, match="1 of 7 examples"):
        batches_of(with_bad_file, 2, bad_files=bad_files)


def test_bad_file_is_an_error_unless_bad_files_are_accepted(with_bad_file):
    with pytest.raises(ValueError, match="broken"):
        batches_of(with_bad_file, 2)


class Waiting(Preprocessing):
    """Hangs on an example that is a pipe, like a disk that does not respond."""

    def train_inputs(self, example, rng, geometry):
        if stat.S_ISFIFO(os.stat(example.video).st_mode):
            open(example.video, "rb").read()
        return super().train_inputs(example, rng, geometry)


def test_file_that_hangs_is_replaced_after_the_deadline(clips, tmp_path):
    silent = tmp_path / "silent.mp4"
    os.mkfifo(silent)
    examples = [*clips[:6], Example("silent", str(silent), {"label": (6,)})]
    bad_files = BadFiles(tmp_path / "bad_files.jsonl", num_examples=7, max_share=0.2)
    waiting = Waiting(**vars(PREPROCESSING))
    options = dict(bad_files=bad_files, decode_timeout=1.0, preprocessing=waiting)
    batches = batches_of(examples, 2, **options)
    assert "no answer within 1 s" in (tmp_path / "bad_files.jsonl").read_text()
    assert 6 not in np.concatenate([batch["label"]["label"] for batch in batches])


def test_evaluation_has_every_example_once_in_order(clips):
    load = EvaluationRow(clips, LABELS, PREPROCESSING, Views(num_clips=2, num_crops=3))
    with eval_batches(load, batch_size=3) as batches:
        assert len(batches) == 3
        seen = list(batches)
    assert all(batch["inputs"]["rgb"].shape == (3, 6, 4, 24, 24, 3) for batch in seen)
    whole = jax.tree.map(lambda *parts: np.concatenate(parts), *seen)
    assert whole["index"].tolist() == [*range(7), -1, -1] and whole["index"].dtype == np.int32
    assert whole["mask"].tolist() == [1.0] * 7 + [0.0] * 2
    assert whole["label"]["label"][:7].tolist() == list(range(7))
    assert not whole["inputs"]["rgb"][7:].any()
    views = PREPROCESSING.eval_inputs(clips[4], num_clips=2, num_crops=3)["rgb"]
    np.testing.assert_array_equal(whole["inputs"]["rgb"][4], views)


def test_every_host_evaluates_the_same_number_of_batches(clips):
    def index_of(rows):
        load = EvaluationRow(clips, LABELS, PREPROCESSING)
        with eval_batches(load, batch_size=4, rows=rows) as batches:
            return [batch["index"].tolist() for batch in batches]

    assert index_of([0, 1]) == [[0, 1], [4, 5]]
    assert index_of([2, 3]) == [[2, 3], [6, -1]]


def test_evaluation_never_replaces_an_unreadable_video(with_bad_file):
    with eval_batches(EvaluationRow(with_bad_file, LABELS, PREPROCESSING), batch_size=4) as batches:
        first, second = batches
    assert first["mask"].tolist() == [1, 1, 0, 1] and second["mask"].tolist() == [1, 1, 1, 0]
    assert first["index"].tolist() == [0, 1, 2, 3] and not first["inputs"]["rgb"][2].any()
    (bad_file,) = batches.bad_files
    assert (bad_file.id, bad_file.index) == ("broken", 2) and bad_file.error


def test_rows_outside_the_batch_are_refused(clips):
    for rows in ([], [4], [-1]):
        with pytest.raises(ValueError, match="rows 0 to 3"):
            batches_of(clips, 1, rows=rows)


def test_empty_split_is_refused():
    with pytest.raises(ValueError, match="no example"):
        batches_of([], 1)
