import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from scenic_video.tasks.classification import Classification
from scenic_video.tasks.mixup import Mixing


class Linear(nn.Module):
    """The smallest model: mean colour -> logits."""

    num_classes: int

    @nn.compact
    def __call__(self, rgb, train=False):
        return nn.Dense(self.num_classes)(rgb.mean(axis=(1, 2, 3)))


def to_float(inputs, *, rng, train):
    return {name: x.astype(jnp.float32) / 255 for name, x in inputs.items()}


def make_task(**fields):
    fields = {"heads": {"action": 4}, "transform": to_float} | fields
    return Classification(model=Linear(sum(fields["heads"].values())), **fields)


def make_batch(heads, *, views=None, size=6, multilabel=False):
    rng = np.random.default_rng(0)
    shape = (size, *(() if views is None else (views,)), 2, 4, 4, 3)
    if multilabel:
        label = {h: rng.integers(0, 2, (size, n)).astype(np.float32) for h, n in heads.items()}
    else:
        label = {h: rng.integers(0, n, size).astype(np.int32) for h, n in heads.items()}
    rgb = rng.integers(0, 256, shape).astype(np.uint8)
    return {"inputs": {"rgb": rgb}, "label": label, "mask": np.ones(size, np.float32)}


def run(task, batch, *, train=False, variables=None):
    rng = jax.random.key(0)
    batch = jax.tree.map(jnp.asarray, batch)
    first_view = {
        "inputs": {"rgb": batch["inputs"]["rgb"][:, 0] if not train else batch["inputs"]["rgb"]}
    }
    variables = variables or task.init(rng, batch | first_view)
    return task(variables, batch, rng=rng, train=train), variables


def test_the_loss_is_the_mean_over_real_examples():
    task = make_task()
    batch = make_batch({"action": 4}, views=1)
    batch["mask"][-2:] = 0
    output, variables = run(task, batch)
    real = jax.tree.map(lambda x: x[:-2], batch)
    assert output.loss == pytest.approx(float(run(task, real, variables=variables)[0].loss))
    assert output.weight == 4


def test_padding_with_broken_values_changes_nothing():
    task = make_task()
    batch = make_batch({"action": 4})
    output, variables = run(task, batch, train=True)
    broken = jax.tree.map(jnp.copy, variables)
    broken["params"]["Dense_0"]["kernel"] = broken["params"]["Dense_0"]["kernel"].at[0].set(jnp.inf)
    batch["mask"][:] = 0
    output, _ = run(task, batch, train=True, variables=broken)
    assert np.isfinite(output.loss)


def test_several_heads_share_the_logits_and_the_loss_is_their_mean():
    heads = {"verb": 3, "noun": 2}
    task = make_task(heads=heads)
    output, _ = run(task, make_batch(heads, views=1))
    assert output.predictions["verb"].shape == (6, 3)
    assert output.predictions["noun"].shape == (6, 2)
    assert {"top1", "verb_top1", "noun_top1"} <= set(output.metrics)


def test_every_head_must_be_right():
    heads = {"verb": 3, "noun": 2}
    task = make_task(heads=heads)
    batch = make_batch(heads, views=1)
    output, variables = run(task, batch)
    right = {h: np.asarray(output.predictions[h]).argmax(-1) for h in heads}
    batch["label"] = {"verb": right["verb"], "noun": right["noun"].copy()}
    batch["label"]["noun"][:3] = 1 - batch["label"]["noun"][:3]
    output, _ = run(task, batch, variables=variables)
    assert output.metrics["verb_top1"].compute() == 1.0
    assert output.metrics["noun_top1"].compute() == 0.5
    assert output.metrics["top1"].compute() == 0.5


def test_views_are_averaged_as_logits_or_as_probabilities():
    batch = make_batch({"action": 4}, views=3)
    task = make_task()
    output, variables = run(task, batch)
    single = [
        run(
            task,
            batch | {"inputs": {"rgb": batch["inputs"]["rgb"][:, v : v + 1]}},
            variables=variables,
        )[0]
        for v in range(3)
    ]
    logits = np.stack([s.predictions["action"] for s in single])
    np.testing.assert_allclose(output.predictions["action"], logits.mean(0), atol=1e-6)
    output, _ = run(make_task(average_views="probabilities"), batch, variables=variables)
    probabilities = np.asarray(jax.nn.softmax(logits)).mean(0)
    np.testing.assert_allclose(
        jax.nn.softmax(output.predictions["action"]), probabilities, rtol=1e-5
    )


def test_one_label_may_be_trained_by_a_sigmoid_for_each_class():
    batch = make_batch({"action": 4}, views=1)
    output, _ = run(make_task(loss="sigmoid"), batch)
    targets = jax.nn.one_hot(batch["label"]["action"], 4)
    losses = optax.sigmoid_binary_cross_entropy(output.predictions["action"], targets)
    assert output.loss == pytest.approx(float(losses.sum(axis=-1).mean()))
    assert output.metrics.keys() == run(make_task(), batch)[0].metrics.keys()


def test_a_loss_that_does_not_fit_the_labels_is_refused():
    with pytest.raises(ValueError, match="'sigmoid' for several .* got loss='softmax'"):
        make_task(loss="softmax", multilabel=True)


def test_multilabel_probabilities_are_averaged_class_by_class():
    batch = make_batch({"tags": 5}, views=2, multilabel=True)
    task = make_task(heads={"tags": 5}, multilabel=True, average_views="probabilities")
    output, variables = run(task, batch)
    parts = [
        run(
            task,
            batch | {"inputs": {"rgb": batch["inputs"]["rgb"][:, v : v + 1]}},
            variables=variables,
        )[0]
        for v in range(2)
    ]
    mean = np.mean([jax.nn.sigmoid(p.predictions["tags"]) for p in parts], axis=0)
    np.testing.assert_allclose(jax.nn.sigmoid(output.predictions["tags"]), mean, rtol=1e-5)
    assert "map" in output.metrics


def test_label_smoothing_enters_the_training_loss_only():
    batch = make_batch({"action": 4})
    plain, variables = run(make_task(), batch, train=True)
    smoothed, _ = run(make_task(label_smoothing=0.2), batch, train=True, variables=variables)
    targets = optax.smooth_labels(jax.nn.one_hot(batch["label"]["action"], 4), 0.2)
    expected = optax.softmax_cross_entropy(plain.predictions["action"], targets).mean()
    assert smoothed.loss == pytest.approx(float(expected), rel=1e-5)


def test_mixup_mixes_inputs_and_labels_in_training_only():
    batch = make_batch({"action": 4})
    task = make_task(mixing=Mixing(mixup_alpha=0.5))
    output, variables = run(task, batch, train=True)
    plain, _ = run(make_task(), batch, train=True, variables=variables)
    assert not np.allclose(output.predictions["action"], plain.predictions["action"])


def test_a_model_of_the_wrong_width_is_an_error_with_the_numbers():
    task = Classification(model=Linear(7), heads={"action": 4}, transform=to_float)
    with pytest.raises(ValueError, match="returned 7 logits.*need 4"):
        run(task, make_batch({"action": 4}, views=1))


def test_a_share_out_of_range_is_an_error():
    with pytest.raises(ValueError, match="label_smoothing is 1.0"):
        make_task(label_smoothing=1.0)


def test_any_of_several_labels_is_right_for_a_model_of_one_label():
    task, batch = make_task(), make_batch({"action": 4}, views=1)
    output, variables = run(task, batch)
    guess = np.asarray(output.predictions["action"]).argmax(axis=-1)
    ids = (guess + np.array([0, 0, 0, 1, 1, 1])) % 4
    one_label = batch | {"label": {"action": ids.astype(np.int32)}}
    alone = np.eye(4, dtype=np.float32)[ids]
    by_id, _ = run(task, one_label, variables=variables)
    by_row, _ = run(task, batch | {"label": {"action": alone}}, variables=variables)
    assert by_id.metrics["top1"].compute() == by_row.metrics["top1"].compute() == 0.5
    assert by_id.loss == pytest.approx(float(by_row.loss))
    also_right = np.eye(4, dtype=np.float32)[guess]
    several, _ = run(
        task, batch | {"label": {"action": np.maximum(alone, also_right)}}, variables=variables
    )
    assert several.metrics["top1"].compute() == 1.0
    log_softmax = jax.nn.log_softmax(np.asarray(several.predictions["action"]))
    rows = np.maximum(alone, also_right)
    expected = -(log_softmax * rows).sum(axis=-1) / rows.sum(axis=-1)
    assert several.loss == pytest.approx(float(expected.mean()), rel=1e-5)
