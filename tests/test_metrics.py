import functools
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from scenic_video import metrics, sharding

GOLDEN = dict(np.load(Path(__file__).parent / "golden" / "metrics.npz"))
MASK = GOLDEN["mask"]
LABELS = GOLDEN["onehot"].argmax(-1).astype(np.int32)


def test_accuracy_equals_the_public_one():
    for k in (1, 5):
        expected = np.average(GOLDEN[f"correct_top{k}"].ravel(), weights=MASK)
        got = metrics.accuracy(GOLDEN["logits"], LABELS, MASK, k=k).compute()
        assert got == pytest.approx(expected)


def two_heads():
    logits, labels = GOLDEN["logits"], GOLDEN["two_head_onehot"]
    split = {"noun": slice(0, 4), "verb": slice(4, 7)}
    return (
        {head: jnp.asarray(logits[:, part]) for head, part in split.items()},
        {head: labels[:, part].argmax(-1).astype(np.int32) for head, part in split.items()},
    )


def test_joint_accuracy_equals_the_public_one():
    logits, labels = two_heads()
    for k, name in ((1, "joint_accuracy"), (5, "joint_top5")):
        rows = np.where(MASK > 0, GOLDEN[name].ravel(), 0)
        got = metrics.joint_accuracy(logits, labels, MASK, k=k)
        assert (got.total, got.weight) == (rows.sum(), MASK.sum())


def test_the_best_combination_is_the_best_of_every_head():
    rng = np.random.default_rng(0)
    logits = {"a": rng.normal(size=(500, 3)), "b": rng.normal(size=(500, 4))}
    logits = {head: jnp.asarray(x, jnp.float32) for head, x in logits.items()}
    labels = {"a": rng.integers(0, 3, 500), "b": rng.integers(0, 4, 500)}
    right = np.all([np.argmax(logits[h], -1) == labels[h] for h in logits], axis=0)
    assert metrics.joint_accuracy(logits, labels).compute() == pytest.approx(right.mean())


def multilabel(metric, rows=slice(None), mask=None):
    scores, labels = GOLDEN["map_logits"][rows], GOLDEN["map_labels"][rows]
    mask = np.ones(len(scores)) if mask is None else mask
    return metric.from_model_output(scores, labels, mask)


NAMES = {
    metrics.MeanAveragePrecision: "map_mAP",
    metrics.MeanAUC: "map_AUC",
    metrics.DPrime: "map_d_prime",
}


@pytest.mark.parametrize("metric", NAMES)
def test_multilabel_numbers_equal_the_public_ones(metric):
    assert multilabel(metric).compute() == pytest.approx(float(GOLDEN[NAMES[metric]]), abs=1e-6)


@pytest.mark.parametrize("metric", NAMES)
def test_batches_and_padding_change_no_multilabel_number(metric):
    parts = [multilabel(metric, slice(0, 7)), multilabel(metric, slice(7, 40))]
    broken = np.full((3, 5), np.nan)
    parts.append(metric.from_model_output(broken, np.ones((3, 5)), np.zeros(3)))
    total = functools.reduce(metrics.merge, [{"m": part} for part in [metric.empty(), *parts]])
    assert metrics.compute(total)["m"] == multilabel(metric).compute()


def test_tied_scores_count_as_one_threshold():
    scores, positive = np.zeros(4), np.array([True, False, True, False])
    assert metrics.average_precision(scores, positive) == 0.5
    assert metrics.area_under_curve(scores, positive) == 0.5
    assert metrics.average_precision(scores, positive[::-1]) == 0.5


def test_perfect_scores_have_no_finite_d_prime():
    labels = np.eye(3)
    assert metrics.DPrime.from_model_output(labels, labels).compute() == math.inf
    assert metrics.DPrime.from_model_output(-labels, labels).compute() == -math.inf
    assert metrics.MeanAveragePrecision.from_model_output(labels, labels).compute() == 1.0


def test_classes_that_nobody_has_do_not_count():
    scores, labels = GOLDEN["map_logits"], GOLDEN["map_labels"].copy()
    labels[:, 0] = 0
    full = metrics.MeanAveragePrecision.from_model_output(scores, labels).compute()
    rest = metrics.MeanAveragePrecision.from_model_output(scores[:, 1:], labels[:, 1:]).compute()
    assert full == rest


def test_scores_that_are_no_numbers_give_no_number():
    scores, labels = GOLDEN["map_logits"].copy(), GOLDEN["map_labels"]
    scores[3] = np.nan
    assert math.isnan(metrics.MeanAveragePrecision.from_model_output(scores, labels).compute())


def test_nothing_to_count_is_nan_and_no_warning():
    nothing = np.zeros(2, np.float32)
    logits, labels = np.full((2, 3), np.nan, np.float32), np.zeros(2, np.int32)
    found = {
        "mean": metrics.Mean.from_model_output(jnp.array([np.nan, 1.0]), nothing),
        "empty": metrics.Mean.empty(),
        "accuracy": metrics.accuracy(logits, labels, nothing),
        "scalar": metrics.scalar(np.nan, 0.0),
        "map": metrics.MeanAveragePrecision.from_model_output(logits, np.ones((2, 3)), nothing),
        "auc": metrics.MeanAUC.empty(),
        "d": metrics.DPrime.empty(),
    }
    assert all(math.isnan(x) for x in metrics.compute(found).values())


def test_a_mean_is_weighted_by_row():
    values, weight = jnp.array([[1.0, 3.0], [5.0, 7.0], [np.nan, 0.0]]), np.array([1.0, 0.5, 0.0])
    mean = metrics.Mean.from_model_output(values, weight)
    assert mean.compute() == pytest.approx((4 + 0.5 * 12) / 3)
    assert metrics.scalar(2.0, 3.0).merge(metrics.scalar(6.0)).compute() == pytest.approx(3.0)


def test_a_model_that_says_the_same_of_all_classes_is_not_right():
    logits, labels = np.zeros((4, 4), np.float32), np.arange(4, dtype=np.int32)
    assert metrics.accuracy(logits, labels).compute() == 0.25


def test_any_of_several_classes_may_be_right():
    logits = np.array([[5, 4, 3, 2, 1, 0], [5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5]], np.float32)
    labels = np.array([[1, 0, 0, 1, 0, 0], [0, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]], np.float32)
    assert metrics.accuracy(logits, labels).compute() == pytest.approx(1 / 3)
    assert metrics.accuracy(logits, labels, k=2).compute() == pytest.approx(2 / 3)
    both = {"a": logits, "b": logits}
    mixed = {"a": labels, "b": np.array([0, 1, 5], np.int32)}
    assert metrics.joint_accuracy(both, mixed).compute() == pytest.approx(1 / 3)
    # Of the second row (1, 1) is right, which is among the five behind (0, 0), (0, 1) and (1, 0).
    assert metrics.joint_accuracy(both, mixed, k=5).compute() == pytest.approx(2 / 3)


def test_more_places_than_classes_are_an_error():
    with pytest.raises(ValueError, match="Top-5 accuracy needs 5 classes or more; there are 4"):
        metrics.accuracy(np.zeros((2, 4), np.float32), np.zeros(2, np.int32), k=5)


def test_different_metrics_cannot_be_merged():
    with pytest.raises(ValueError, match="'loss'.*cannot be merged with.*'top1'"):
        metrics.merge({"loss": metrics.Mean.empty()}, {"top1": metrics.Mean.empty()})


def one_batch(logits, labels, mask):
    multi_hot = jax.nn.one_hot(labels, logits.shape[1])
    return {
        "top1": metrics.accuracy(logits, labels, mask),
        "top3": metrics.accuracy(logits, labels, mask, k=3),
        "joint": metrics.joint_accuracy(
            {"a": logits, "b": logits}, {"a": labels, "b": labels}, k=2
        ),
        "map": metrics.MeanAveragePrecision.from_model_output(logits, multi_hot, mask),
    }


def test_eight_devices_give_the_numbers_of_one():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(16, 6)).astype(np.float32)
    labels, mask = rng.integers(0, 6, 16).astype(np.int32), (np.arange(16) < 13).astype(np.float32)
    mesh = sharding.make_mesh(data=4, fsdp=2)
    on_mesh = jax.jit(
        one_batch,
        in_shardings=sharding.batch_sharding(mesh),
        out_shardings=NamedSharding(mesh, PartitionSpec()),
    )(logits, labels, mask)
    assert all(x.is_fully_replicated for x in jax.tree.leaves(on_mesh))
    expected = metrics.compute(one_batch(logits, labels, mask))
    assert metrics.compute(on_mesh) == pytest.approx(expected)


def test_micro_batches_reduce_to_the_whole_batch():
    rng = np.random.default_rng(0)
    logits = jnp.asarray(rng.normal(size=(8, 6)), jnp.float32)
    labels, mask = jnp.asarray(rng.integers(0, 6, 8)), jnp.ones(8)
    parts = jax.lax.map(
        lambda x: one_batch(*x),
        jax.tree.map(lambda x: x.reshape(2, 4, *x.shape[1:]), (logits, labels, mask)),
    )
    reduced = {name: metric.reduce() for name, metric in parts.items()}
    expected = metrics.compute(one_batch(logits, labels, mask))
    assert metrics.compute(reduced) == pytest.approx(expected)
