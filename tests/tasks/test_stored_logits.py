"""Metrics of stored logits: those of an evaluation, of one model and of averages of several."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from scenic_video import metrics
from scenic_video.tasks import stored_logits
from scenic_video.tasks.classification import Classification
from scenic_video.tasks.stored_logits import score

HEADS = {"verb": 7, "noun": 6}
NUM_EXAMPLES = 10


def given(inputs, *, rng, train):
    """The logits are there in the inputs already, one a view."""
    return {"logits": inputs["logits"]}


class Given:
    def apply(self, variables, *, logits, train):
        return logits


def make_task(heads=HEADS, *, multilabel=False):
    return Classification(model=Given(), transform=given, heads=heads, multilabel=multilabel)


def draw(num_models=1, *, multilabel=False, heads=HEADS):
    rng = np.random.default_rng(0)
    logits = {
        head: rng.normal(0, 2, (num_models, NUM_EXAMPLES, n)).astype(np.float32)
        for head, n in heads.items()
    }
    if multilabel:
        label = {h: rng.integers(0, 2, (NUM_EXAMPLES, n)) * 1.0 for h, n in heads.items()}
        label = {head: x.astype(np.float32) for head, x in label.items()}
    else:
        label = {h: rng.integers(0, n, NUM_EXAMPLES).astype(np.int32) for h, n in heads.items()}
    mask = np.ones(NUM_EXAMPLES, bool)
    mask[3] = False
    return logits, label, mask


@pytest.mark.parametrize("multilabel", [False, True])
def test_one_model_has_the_metrics_of_its_evaluation(multilabel):
    task = make_task(multilabel=multilabel)
    logits, label, mask = draw(multilabel=multilabel)
    view = np.concatenate([logits[head][0] for head in HEADS], axis=-1)[:, None]
    batch = {"inputs": {"logits": view}, "label": label, "mask": mask.astype(np.float32)}
    batch = jax.tree.map(jnp.asarray, batch)
    evaluated = metrics.compute(task({}, batch, rng=jax.random.key(0), train=False).metrics)
    found = score(task, logits, label, mask)
    assert found.metrics == pytest.approx(evaluated, abs=1e-6)
    assert ("verb_map" if multilabel else "verb_top5") in found.metrics
    np.testing.assert_allclose(found.logits["noun"], logits["noun"][0], atol=1e-6)


def test_examples_are_scored_a_few_at_a_time(monkeypatch):
    task = make_task()
    logits, label, mask = draw()
    at_once = score(task, logits, label, mask)
    monkeypatch.setattr(stored_logits, "ROWS_AT_A_TIME", 4)
    a_few = score(task, logits, label, mask)
    assert a_few.metrics == pytest.approx(at_once.metrics, abs=1e-6)
    np.testing.assert_allclose(a_few.logits["verb"], at_once.logits["verb"], atol=1e-6)


@pytest.mark.parametrize("weights", [None, (0.5, 1.5)])
@pytest.mark.parametrize("multilabel", [False, True])
def test_probabilities_are_averaged_by_weight(weights, multilabel):
    logits, label, mask = draw(2, multilabel=multilabel)
    found = score(make_task(multilabel=multilabel), logits, label, mask, weights=weights)
    likely = jax.nn.sigmoid if multilabel else functools.partial(jax.nn.softmax, axis=-1)
    for head in HEADS:
        wanted = np.average(likely(logits[head]), axis=0, weights=weights)
        np.testing.assert_allclose(likely(found.logits[head]), wanted, atol=1e-6)


def test_logits_are_averaged_by_weight():
    logits, label, mask = draw(2)
    found = score(make_task(), logits, label, mask, weights=(1.0, 3.0), average="logits")
    for head in HEADS:
        wanted = np.average(logits[head], axis=0, weights=(1, 3))
        np.testing.assert_allclose(found.logits[head], wanted, atol=1e-6)


@pytest.mark.parametrize("weights", [(0.2, 0.1), (1.0, 5.0)])
def test_weights_of_models_do_not_weigh_examples(weights):
    heads = {"action": 7}
    logits, label, mask = draw(2, heads=heads)
    found = score(make_task(heads=heads), logits, label, mask, weights=weights)
    losses = optax.softmax_cross_entropy_with_integer_labels(
        jnp.asarray(found.logits["action"]), label["action"]
    )
    assert found.metrics["loss"] == pytest.approx(float(losses[mask].mean()), abs=1e-5)
    right = (found.logits["action"].argmax(-1) == label["action"])[mask]
    assert found.metrics["top1"] == pytest.approx(right.mean())
