"""The permutation that explains confusions is no fit to noise."""

import numpy as np

from scenic_video.runs.diagnosis.finding import is_higher
from scenic_video.runs.diagnosis.label_order import confusion, held_out_accuracy, permutation


def test_a_permutation_of_labels_is_found_despite_errors():
    rng = np.random.default_rng(0)
    order = rng.permutation(20)
    predicted = rng.integers(20, size=400)
    true = order[predicted]
    wrong = rng.random(400) < 0.2
    true[wrong] = rng.integers(20, size=wrong.sum())
    assert held_out_accuracy(true, predicted, 20) > 0.75
    np.testing.assert_array_equal(permutation(confusion(true, predicted, 20)), order)


def test_random_predictions_are_not_explained_by_a_permutation():
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(10, size=(2, 60))
    best = permutation(confusion(true, predicted, 10))
    fitted = float((best[predicted] == true).mean())
    held_out = held_out_accuracy(true, predicted, 10)
    accuracy = float((true == predicted).mean())
    assert fitted > 0.2  # of all examples, the best one looks good
    assert not is_higher(held_out, accuracy, number=60)


def test_a_class_without_examples_keeps_its_label():
    true, predicted = np.array([0, 1, 1]), np.array([0, 2, 2])
    np.testing.assert_array_equal(permutation(confusion(true, predicted, 5)), [0, 2, 1, 3, 4])
