"""Ridge regression in closed form is what the normal equations say, for few examples and many."""

import numpy as np
import pytest

from scenic_video.evaluators.ridge import Ridge


def normal_equations(features, targets, l2):
    """Weights and bias, the bias being a last feature of ones that no penalty touches."""
    design = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    penalty = l2 * np.eye(design.shape[1])
    penalty[-1, -1] = 0.0
    solution = np.linalg.solve(design.T @ design + penalty, design.T @ targets)
    return solution[:-1], solution[-1]


@pytest.mark.parametrize("num_examples", [7, 12, 40])
def test_it_solves_the_normal_equations_of_scaled_features(num_examples):
    rng = np.random.default_rng(0)
    features = rng.normal(3.0, [5.0] * 6 + [0.1] * 6, (num_examples, 12))
    targets, unseen = rng.normal(size=(num_examples, 3)), rng.normal(3.0, 2.0, (9, 12))
    mean, std = features.mean(axis=0), features.std(axis=0)
    penalties = (1e-2, 1.0, 300.0)
    found = Ridge.fit(features, targets).scores(unseen, penalties)
    for l2, scores in zip(penalties, found, strict=True):
        weights, bias = normal_equations((features - mean) / std, targets, l2)
        np.testing.assert_allclose(scores, (unseen - mean) / std @ weights + bias, rtol=1e-8)


def test_a_feature_that_is_constant_where_it_is_fitted_counts_for_nothing():
    rng = np.random.default_rng(1)
    features, targets = rng.normal(size=(20, 5)), rng.normal(size=(20, 2))
    with_constant = np.concatenate([features, np.full((20, 1), 0.1)], axis=1)
    unseen = np.concatenate([features, rng.normal(size=(20, 1))], axis=1)
    (expected,) = Ridge.fit(features, targets).scores(features, [1.0])
    (found,) = Ridge.fit(with_constant, targets).scores(unseen, [1.0])
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_more_penalty_means_scores_nearer_the_mean():
    rng = np.random.default_rng(2)
    features, targets = rng.normal(size=(10, 30)), rng.normal(size=(10, 1))
    fit = Ridge.fit(features, targets)
    spread = [scores.std() for scores in fit.scores(features, (1e-3, 1.0, 1e2, 1e9))]
    assert spread == sorted(spread, reverse=True) and spread[-1] < 1e-6


@pytest.mark.parametrize("features", [np.full((3, 2), np.nan), np.zeros((0, 2))])
def test_features_that_are_none_are_refused(features):
    with pytest.raises(ValueError, match="finite features"):
        Ridge.fit(features, np.zeros((len(features), 1)))
