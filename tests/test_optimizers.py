import json
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from scenic_video import optimizers
from scenic_video.config import build

GOLDEN = Path(__file__).parent / "golden"
SCHEDULES = json.loads((GOLDEN / "schedules.json").read_text())
STEPS = dict(np.load(GOLDEN / "optimizers.npz"))
MAKERS = {"cosine": optimizers.warmup_cosine, "linear": optimizers.warmup_linear}


def make_schedule(name):
    golden = SCHEDULES[name]
    fields = {field: golden[field] for field in ("peak", "end", "warmup_steps", "num_steps")}
    return golden, MAKERS[golden["decay"]](steps_per_epoch=100, **fields)


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_the_public_ones_one_step_earlier(name):
    golden, schedule = make_schedule(name)
    for step, value in zip(golden["steps"], golden["values"], strict=True):
        if 0 < step < golden["num_steps"]:
            assert schedule(step - 1) == pytest.approx(value, abs=4e-6 * golden["peak"])


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_never_restart(name):
    golden, schedule = make_schedule(name)
    for step in (golden["num_steps"] - 1, golden["num_steps"], 2 * golden["num_steps"]):
        assert schedule(step) == pytest.approx(golden["end"], abs=1e-12)


def test_no_update_is_wasted_at_rate_zero():
    schedule = optimizers.warmup_cosine(peak=0.4, warmup_epochs=2, num_steps=10, steps_per_epoch=2)
    rates = [float(schedule(step)) for step in range(10)]
    np.testing.assert_allclose(rates[:4], [0.1, 0.2, 0.3, 0.4], rtol=1e-6)
    assert all(a > b for a, b in zip(rates[3:], rates[4:], strict=False))
    assert min(rates[:-1]) > 0 and rates[-1] == 0


def test_host_and_device_see_the_same_rates():
    for maker in (*MAKERS.values(), optimizers.constant):
        schedule = maker(peak=0.1, warmup_epochs=0.25, num_steps=20, steps_per_epoch=10)
        on_device = jax.jit(jax.vmap(schedule))(jnp.arange(25))
        with jax.transfer_guard("disallow"):
            on_host = [schedule(step) for step in range(25)]
        np.testing.assert_allclose(on_host, on_device, rtol=1e-5, atol=1e-8)


def test_a_constant_rate_stays():
    schedule = optimizers.constant(peak=0.1, warmup_steps=2, num_steps=9, steps_per_epoch=3)
    np.testing.assert_allclose([schedule(s) for s in (0, 1, 2, 8, 99)], [0.05] + [0.1] * 4)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"warmup_epochs": 5}, "warm-up of 20 steps (5 epochs of 4) does not fit a run of 20"),
        ({"warmup_epochs": 1, "warmup_steps": 3}, "not both"),
        ({"peak": -0.1}, "peak is -0.1; wanted a number from 0 up"),
        ({"num_steps": 0}, "run of 0 steps"),
    ],
)
def test_schedules_that_make_no_sense_are_errors(fields, words):
    fields = {"peak": 0.1, "num_steps": 20, "steps_per_epoch": 4} | fields
    with pytest.raises(ValueError, match=re.escape(words)):
        target = "scenic_video.optimizers:warmup_cosine"
        build({"target": target, "peak": fields.pop("peak")}, **fields)


def run(optimizer, params, gradients):
    """The parameters after each update."""
    state, found = optimizer.init(params), []
    for gradient in gradients:
        updates, state = optimizer.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        found.append(params)
    return found


PUBLIC = {
    "momentum": optimizers.sgd(learning_rate=0.1),
    "adam_wd": optimizers.adamw(learning_rate=0.1, weight_decay=0.3, decay=(".*",)),
    "adamw_skip": optimizers.adamw(learning_rate=0.1, weight_decay=0.05, decay=(".*",)),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_three_updates_equal_the_public_ones(name):
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    gradients = [
        {"kernel": jnp.full((2, 2), 0.5 + step), "bias": jnp.full(2, step - 1.0)}
        for step in range(3)
    ]
    for step, found in enumerate(run(PUBLIC[name], params, gradients)):
        for leaf in params:
            expected = STEPS[f"opt_{name}_step{step}_{leaf}"]
            np.testing.assert_allclose(found[leaf], expected, rtol=1e-5)


PARAMS = {
    "encoder": {"Dense_0": {"kernel": jnp.ones((3, 4)), "bias": jnp.ones((3, 4))}},
    "head": {"kernel": jnp.ones(5), "scale": jnp.ones(5)},
}
GRADIENTS = jax.tree.map(lambda x: 0.5 * x, PARAMS)


def test_clipping_equals_the_public_one():
    gradients = {name: jnp.asarray(STEPS[f"clip_in_{name}"]) for name in "ab"}
    optimizer = optimizers.sgd(learning_rate=1.0, momentum=0.0, max_gradient_norm=1.0)
    (found,) = run(optimizer, jax.tree.map(jnp.zeros_like, gradients), [gradients])
    for name in "ab":
        np.testing.assert_allclose(found[name], -STEPS[f"clip_out_{name}"], rtol=1e-5)


def test_only_what_is_trained_counts_in_the_clipped_norm():
    gradients = jax.tree.map(jnp.copy, GRADIENTS)
    gradients["encoder"] = jax.tree.map(lambda x: 1e6 * x, gradients["encoder"])
    optimizer = optimizers.sgd(learning_rate=1.0, max_gradient_norm=1.0, freeze=("^encoder/",))
    (found,) = run(optimizer, PARAMS, [gradients])
    update = 1.0 - np.concatenate(jax.tree.leaves(found["head"]))
    assert np.linalg.norm(update) == pytest.approx(1.0)


def test_kernels_decay_by_name_and_by_the_rate():
    def schedule(step):
        return 0.1 * (step + 1)

    zeros = jax.tree.map(jnp.zeros_like, PARAMS)
    for make in (optimizers.sgd, optimizers.adamw):
        found = run(make(learning_rate=schedule, weight_decay=0.5), PARAMS, [zeros, zeros])[-1]
        np.testing.assert_allclose(found["head"]["kernel"], 0.95 * 0.9, rtol=1e-6)
        np.testing.assert_allclose(found["encoder"]["Dense_0"]["kernel"], 0.95 * 0.9, rtol=1e-6)
        assert (found["encoder"]["Dense_0"]["bias"] == 1).all()
        assert (found["head"]["scale"] == 1).all()


def test_coupled_decay_is_the_gradient_of_a_penalty():
    def penalty(params):
        return 0.05 * jnp.sum(params["head"]["kernel"] ** 2)

    plain, params = optimizers.sgd(learning_rate=0.1), PARAMS
    state = plain.init(params)
    for _ in range(3):
        gradients = jax.tree.map(jnp.add, GRADIENTS, jax.grad(penalty)(params))
        updates, state = plain.update(gradients, state, params)
        params = optax.apply_updates(params, updates)
    coupled = optimizers.sgd(
        learning_rate=0.1, weight_decay=0.1, decoupled=False, decay=("head/kernel",)
    )
    found = run(coupled, PARAMS, [GRADIENTS] * 3)[-1]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, params)


def test_frozen_parameters_stay_and_take_no_memory():
    optimizer = optimizers.adamw(learning_rate=0.1, weight_decay=0.1, freeze=("^encoder/", "scale"))
    found = run(optimizer, PARAMS, [GRADIENTS] * 2)[-1]
    assert (found["head"]["kernel"] < 1).all()
    assert (found["head"]["scale"] == 1).all()
    assert all((x == 1).all() for x in jax.tree.leaves(found["encoder"]))
    sizes = [x.size for x in jax.tree.leaves(optimizer.init(PARAMS))]
    assert sum(sizes) == 2 * PARAMS["head"]["kernel"].size + 1  # two moments and a counter


def test_nesterov_looks_ahead():
    plain = run(optimizers.sgd(learning_rate=0.1), PARAMS, [GRADIENTS])[0]["head"]["kernel"]
    ahead = run(optimizers.sgd(learning_rate=0.1, nesterov=True), PARAMS, [GRADIENTS])[0]
    np.testing.assert_allclose(plain, 1 - 0.05)
    np.testing.assert_allclose(ahead["head"]["kernel"], 1 - 0.1 * (0.5 + 0.9 * 0.5), rtol=1e-6)


def tree(paths):
    return unflatten_dict({path: jnp.ones(2) for path in paths}, sep="/")


@pytest.mark.parametrize("make", [optimizers.sgd, optimizers.adamw])
def test_rates_by_layer_are_the_public_ones(make):
    golden = json.loads((GOLDEN / "layer_decay.json").read_text())
    params, scales = tree(golden["assignment"]), golden["scales_by_layer_id"]
    step, scaled = (
        run(make(learning_rate=0.1, **fields), params, [params])[0]
        for fields in ({}, {"layer_decay": golden["layer_decay"]})
    )
    step, scaled = (flatten_dict(x, sep="/") for x in (step, scaled))  # pyright: ignore
    for path, layer in golden["assignment"].items():
        whole, part = (np.subtract(1, x[path]) for x in (step, scaled))  # pyright: ignore
        np.testing.assert_allclose(part, scales[layer] * whole, rtol=1e-4)


def test_frozen_layers_count_as_layers():
    params = tree([f"Transformer/encoderblock_{layer}/x" for layer in range(4)])
    optimizer = optimizers.sgd(learning_rate=1.0, layer_decay=0.5, freeze=("block_3",))
    found = run(optimizer, params, [params])[0]["Transformer"]
    rates = [1 - float(found[f"encoderblock_{layer}"]["x"][0]) for layer in range(4)]
    assert rates == [0.5**4, 0.5**3, 0.5**2, 0]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"layer_decay": 0.0}, "layer_decay is 0.0; wanted a number above 0 and at most 1"),
        ({"layer_decay": 1.1}, "layer_decay is 1.1"),
        ({"layer_decay": 0.5}, "layer_decay=0.5 needs parameters of layers"),
        ({"freeze": ("encodr/Dense_0/kernel",)}, "freeze: 'encodr/.* encoder/Dense_0/kernel"),
        ({"freeze": (".*",)}, "nothing is left to train"),
        ({"weight_decay": 0.1, "decay": ("kernels",)}, "decay: 'kernels' finds none of the 4"),
        ({"weight_decay": 0.1, "decay": ("encoder",), "freeze": ("encoder",)}, "none of the 2"),
        ({"weight_decay": 0.1, "decay": ()}, "names no parameter"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1; wanted a number from 0 up"),
        ({"max_gradient_norm": 0.0}, "max_gradient_norm is 0.0; wanted a number above 0, or None"),
    ],
)
def test_what_finds_nothing_or_makes_no_sense_is_an_error(fields, words):
    with pytest.raises(ValueError, match=words):
        node = {"target": "scenic_video.optimizers:sgd", **fields}
        jax.eval_shape(build(node, learning_rate=0.1).init, PARAMS)
