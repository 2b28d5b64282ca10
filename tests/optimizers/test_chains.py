import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from scenic_video import optimizers
from scenic_video.config import build
from scenic_video.optimizers import WeightDecay

STEPS = dict(np.load(Path(__file__).parents[1] / "golden/optimizers.npz"))
EVERYTHING = (".*",)


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
    "adam_wd": optimizers.adamw(learning_rate=0.1, weight_decay=WeightDecay(0.3, EVERYTHING)),
    "adamw_skip": optimizers.adamw(learning_rate=0.1, weight_decay=WeightDecay(0.05, EVERYTHING)),
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
    decay = WeightDecay(0.1, ("head/kernel",), decoupled=False)
    coupled = optimizers.sgd(learning_rate=0.1, weight_decay=decay)
    found = run(coupled, PARAMS, [GRADIENTS] * 3)[-1]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, params)


def test_nesterov_looks_ahead():
    plain = run(optimizers.sgd(learning_rate=0.1), PARAMS, [GRADIENTS])[0]["head"]["kernel"]
    ahead = run(optimizers.sgd(learning_rate=0.1, nesterov=True), PARAMS, [GRADIENTS])[0]
    np.testing.assert_allclose(plain, 1 - 0.05)
    np.testing.assert_allclose(ahead["head"]["kernel"], 1 - 0.1 * (0.5 + 0.9 * 0.5), rtol=1e-6)


DIRECTIONS = {
    "optax:lion": functools.partial(optax.lion, weight_decay=0.0),
    "optax.contrib:muon": optax.contrib.muon,
    "optax:adafactor": optax.adafactor,
}


def chain(direction, **fields):
    """As a config names it."""
    node = {"target": "scenic_video.optimizers:chain", "direction": direction, **fields}
    return build(node, learning_rate=0.1, layers_after=lambda path: int("encoder" in path))


@pytest.mark.parametrize("target", DIRECTIONS)
def test_any_optimizer_of_optax_is_a_direction(target):
    found = run(chain({"target": target}), PARAMS, [GRADIENTS] * 3)[-1]
    expected = run(DIRECTIONS[target](learning_rate=0.1), PARAMS, [GRADIENTS] * 3)[-1]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, expected)


@pytest.mark.parametrize("target", DIRECTIONS)
def test_any_direction_gets_decay_clipping_and_rates_by_layer(target):
    (plain,) = run(chain({"target": target}), PARAMS, [GRADIENTS])
    fields = {"weight_decay": 0.3, "layer_decay": 0.5, "max_gradient_norm": 1e3}
    (found,) = run(chain({"target": target}, **fields), PARAMS, [GRADIENTS])
    whole, part = (jax.tree.map(jnp.subtract, PARAMS, tree) for tree in (plain, found))
    for module, rate in (("encoder", 0.5), ("head", 1.0)):
        leaves, plain_leaves = part[module], whole[module]
        if module == "encoder":
            leaves, plain_leaves = leaves["Dense_0"], plain_leaves["Dense_0"]
        decayed = plain_leaves.pop("kernel") + 0.1 * 0.3
        np.testing.assert_allclose(leaves.pop("kernel"), rate * decayed, rtol=1e-5)
        jax.tree.map(
            lambda a, b, rate=rate: np.testing.assert_allclose(a, rate * b, rtol=1e-5),
            leaves,
            plain_leaves,
        )


def test_a_part_of_an_optimizer_is_a_direction_too():
    direction = {"target": "optax:scale_by_adam", "b1": 0.5}
    found = run(chain(direction), PARAMS, [GRADIENTS] * 2)[-1]
    expected = run(optax.adam(0.1, b1=0.5), PARAMS, [GRADIENTS] * 2)[-1]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, expected)


@pytest.mark.parametrize(
    ("direction", "words"),
    [
        (
            {"target": "optax:lion", "weight_decay": 0.1},
            "sets weight_decay, which belongs to the chain",
        ),
        ({"target": "optax:lion", "beta1": 0.1}, "optax:lion has no field 'beta1'"),
        ({"target": "optax:lion", "b1": "much"}, "lion.b1 is 'much'; wanted"),
        ({"target": "optax:clip"}, "optimizer.direction also needs max_delta"),
        ({"target": "optax:linear_onecycle_schedule"}, "also needs transition_steps, peak_value"),
        ({"target": "optax:EmptyState"}, "returns a EmptyState; wanted an optax transformation"),
    ],
)
def test_what_is_no_direction_is_an_error(direction, words):
    with pytest.raises(ValueError, match=words):
        chain(direction)


LAYER_DECAY = "scenic_video.optimizers:LayerDecay"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"layer_decay": 0.0}, "layer_decay is 0.0; wanted a number above 0 and at most 1"),
        ({"layer_decay": 1.1}, "layer_decay is 1.1"),
        ({"layer_decay": 0.5}, "layer_decay=0.5 needs a model with a method layers_after"),
        (
            {"layer_decay": {"target": LAYER_DECAY, "factor": 0.5, "layers": ["("]}},
            r"layer_decay.layers: '\(' is not a regular expression",
        ),
        ({"weight_decay": WeightDecay(0.1, ("kernels",))}, "'kernels' matches none of the 4"),
        ({"weight_decay": WeightDecay(0.1, ("(",))}, r"'\(' is not a regular expression"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1; wanted a number from 0 up"),
        ({"max_gradient_norm": 0.0}, "max_gradient_norm is 0.0; wanted a number above 0, or None"),
    ],
)
def test_what_finds_nothing_or_makes_no_sense_is_an_error(fields, words):
    with pytest.raises(ValueError, match=words):
        node = {"target": "scenic_video.optimizers:sgd", **fields}
        jax.eval_shape(build(node, learning_rate=0.1).init, PARAMS)


def test_a_config_says_which_parameters_decay():
    decay = {"target": "scenic_video.optimizers:WeightDecay", "coefficient": 0.5}
    decay |= {"parameters": ["scale"]}
    node = {"target": "scenic_video.optimizers:adamw", "weight_decay": decay}
    zeros = jax.tree.map(jnp.zeros_like, PARAMS)
    (found,) = run(build(node, learning_rate=0.1), PARAMS, [zeros])
    np.testing.assert_allclose(found["head"]["scale"], 0.95)
    assert (found["head"]["kernel"] == 1).all()
