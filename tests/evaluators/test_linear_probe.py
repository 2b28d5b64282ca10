"""What a linear probe finds in features that are known."""

import numpy as np
import pytest

from scenic_video.evaluators.linear_probe import Labelled, probe
from scenic_video.evaluators.selection import Selection

CLASSES, WIDTH = 5, 32
CENTRES = np.random.default_rng(0).normal(size=(CLASSES, WIDTH))


def examples(per_class, seed, noise=0.1):
    class_ids = np.arange(CLASSES).repeat(per_class)
    noise = np.random.default_rng(seed).normal(0.0, noise, (len(class_ids), WIDTH))
    return Labelled((CENTRES[class_ids] + noise).astype(np.float32), class_ids)


def found(train, test, shots=2, l2=(1e-2, 1.0, 1e2), num_held_out=4):
    selections = [
        Selection.of(train.class_ids, CLASSES, max_shots=4, num_held_out=num_held_out, seed=seed)
        for seed in range(3)
    ]
    return probe(train, test, selections, shots=shots, num_classes=CLASSES, l2=l2)


@pytest.mark.parametrize("shots", [1, 4])
def test_separable_features_are_told_apart_by_any_number_of_shots(shots):
    result = found(examples(10, 1), examples(20, 2), shots)
    assert result["top1"] == 1.0 and result["top1_std"] == 0.0


def test_shuffled_labels_give_chance():
    train, test = examples(10, 1), examples(200, 2)
    shuffled = np.random.default_rng(3).permutation(test.class_ids)
    result = found(train, test._replace(class_ids=shuffled))
    assert result["top1"] == pytest.approx(1 / CLASSES, abs=0.04)


def test_the_penalty_is_chosen_on_held_out_examples_whatever_the_test_says():
    train, test = examples(10, 1, noise=2.0), examples(20, 2, noise=2.0)
    wrong = test._replace(class_ids=(test.class_ids + 1) % CLASSES)
    right, other = (found(train, x, l2=tuple(10.0 ** np.arange(-4, 6))) for x in (test, wrong))
    assert right["l2"] == other["l2"]
    assert right["top1"] > other["top1"]


def test_of_penalties_that_are_equally_good_the_largest_is_taken():
    assert found(examples(10, 1), examples(5, 2))["l2"] == 100.0


def test_one_penalty_needs_nothing_held_out():
    train, test = examples(4, 1), examples(5, 2)
    assert found(train, test, l2=(3.0,), num_held_out=0)["l2"] == 3.0
    with pytest.raises(ValueError, match="one of 3 penalties"):
        found(train, test, num_held_out=0)
