"""What a model computes for a batch shows whether its weights were loaded."""

import numpy as np

from scenic_video.runs.initialization.first_batch import FirstBatch
from scenic_video.weights.load_report import LoadReport, Origin

REPORT = LoadReport(
    (Origin("body/kernel", "a", "", (2,)), Origin("head/kernel", None, "", (2,))), ()
)


def compared(loaded, random=((1.0, 2.0), (2.0, 1.0))):
    return FirstBatch("features", np.array(random), np.array(loaded), seconds=1.0)


def test_other_features_are_no_warning_and_stated_in_one_line():
    batch = compared(((3.0, 0.0), (0.0, 3.0)))
    assert batch.warnings(REPORT) == []
    assert "a batch of 2 in 1s: the features differ by 126% from those with random" in batch.words


def test_the_features_of_random_weights_are_a_warning_that_names_random_parts():
    (words,) = compared(((1.0, 2.0), (2.0, 1.001))).warnings(REPORT)
    assert "differ by only 0.00032 of their norm" in words
    assert words.endswith("Parts without loaded weights: head.")


def test_features_that_do_not_depend_on_the_clip_or_are_not_finite_are_a_warning():
    (words,) = compared(((5.0, 2.0), (5.0, 2.0))).warnings(REPORT)
    assert "are the same for all clips" in words
    (words,) = compared(((np.nan, 2.0), (5.0, 2.0))).warnings(REPORT)
    assert "are not finite" in words


def test_a_batch_that_cannot_be_read_is_a_warning():
    (words,) = compared(np.zeros((0, 2)), np.zeros((0, 2))).warnings(REPORT)
    assert "none of the clips can be read" in words
