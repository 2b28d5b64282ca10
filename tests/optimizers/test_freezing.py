import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from scenic_video import optimizers, sharding, trainer
from scenic_video.optimizers.freezing import trained_part, with_part
from scenic_video.tasks.task import output_of
from scenic_video.trainer import TrainerOptions
from tests.helpers.tiny_vivit import MODEL, make_batch, make_task

PARAMS = {
    "encoder": {"Dense_0": {"kernel": jnp.ones((3, 4)), "bias": jnp.ones(4)}},
    "head": {"kernel": jnp.ones(5), "scale": jnp.ones(5)},
}
ALL_BUT_THE_HEAD = ("^(?!output_projection/)",)
FULL = make_task(MODEL.clone(stochastic_depth_rate=0.0))


def test_what_is_trained_is_a_tree_of_its_own():
    part = trained_part(PARAMS, ("^encoder/", "scale"))
    assert jax.tree.map(jnp.shape, part) == {"head": {"kernel": (5,)}}
    merged = with_part(PARAMS, jax.tree.map(lambda x: 2 * x, part))
    assert jax.tree.structure(merged) == jax.tree.structure(PARAMS)
    assert (merged["head"]["kernel"] == 2).all() and (merged["head"]["scale"] == 1).all()
    assert trained_part(PARAMS, ()) is PARAMS


@pytest.mark.parametrize(
    ("freeze", "words"),
    [
        (("encodr/Dense_0/kernel",), "trainer.freeze: 'encodr/.* encoder/Dense_0/kernel"),
        (("*",), r"trainer.freeze: '\*' is not a regular expression"),
        ((".*",), "freezes every parameter; nothing is left to train"),
    ],
)
def test_patterns_that_find_nothing_or_leave_nothing_are_errors(freeze, words):
    with pytest.raises(ValueError, match=words):
        trained_part(PARAMS, freeze)


def compile_steps(task=FULL, optimizer=None, **options):
    return trainer.compile_steps(
        task=task,
        optimizer=optimizer or optimizers.sgd(learning_rate=0.1, momentum=0.0),
        options=TrainerOptions(num_steps=3, **options),
        example_batch=make_batch(0, size=1),
        mesh=sharding.make_mesh(devices=jax.devices()[:1]),
    )


@functools.cache
def two_steps(**options):
    """The parameters before and after each step, the last state and its metrics."""
    steps = compile_steps(**options)
    state = steps.init()
    params = [jax.device_get(state.params)]
    for step in range(2):
        state, metrics = steps.train(state, sharding.put_batch(make_batch(step), steps.mesh, 8))
        params.append(jax.device_get(state.params))
    return params, jax.device_get(state), jax.device_get(metrics)


def of_head(params):
    return params["output_projection"]


def of_backbone(params):
    return {name: x for name, x in params.items() if name != "output_projection"}


def assert_close(found, expected, **tolerances):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerances), found, expected)


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_frozen_parameters_stay_and_the_others_learn_as_without(micro_batches):
    (start, first, last), _, metrics = two_steps(
        freeze=ALL_BUT_THE_HEAD, micro_batches=micro_batches
    )
    (_, whole, _), _, whole_metrics = two_steps()
    jax.tree.map(np.testing.assert_array_equal, of_backbone(last), of_backbone(start))
    assert_close(of_head(first), of_head(whole), rtol=1e-4, atol=1e-7)
    gradient = jax.tree.map(lambda a, b: (a - b) / 0.1, of_head(last), of_head(first))
    norm = metrics["gradient_norm"].compute()
    assert norm == pytest.approx(float(optax.tree.norm(gradient)), rel=1e-3)
    assert norm < whole_metrics["gradient_norm"].compute()


def test_optimizer_state_and_average_hold_what_is_trained():
    momentum = optimizers.sgd(learning_rate=0.1)
    params, state, _ = two_steps(optimizer=momentum, freeze=ALL_BUT_THE_HEAD, ema_decay=0.5)
    trained = {"output_projection": of_head(params[0])}
    assert jax.tree.structure(state.opt_state[0].trace) == jax.tree.structure(trained)
    assert jax.tree.structure(state.ema_params) == jax.tree.structure(trained)
    jax.tree.map(
        np.testing.assert_array_equal, of_backbone(state.eval_params), of_backbone(params[0])
    )
    average = jax.tree.map(lambda a, b, c: a / 4 + b / 4 + c / 2, *map(of_head, params))
    assert_close(of_head(state.eval_params), average, rtol=1e-5, atol=1e-8)


def test_only_what_is_trained_counts_in_the_clipped_norm():
    clipping = optimizers.sgd(learning_rate=1.0, max_gradient_norm=1e-3)
    steps = compile_steps(optimizer=clipping, freeze=ALL_BUT_THE_HEAD)
    state = steps.init()
    before = jax.device_get(state.params["output_projection"])
    state, _ = steps.train(state, sharding.put_batch(make_batch(0), steps.mesh, 8))
    update = jax.tree.map(jnp.subtract, jax.device_get(state.params["output_projection"]), before)
    assert float(optax.tree.norm(update)) == pytest.approx(1e-3, rel=1e-4)


def cost(compiled):
    """FLOPs, and bytes of temporary memory."""
    return compiled.cost_analysis()["flops"], compiled.memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize("remat", [False, True])
def test_a_step_of_a_frozen_model_costs_its_forward_pass(remat):
    task = make_task(MODEL.clone(num_layers=2, remat=remat))
    optimizer = optimizers.adamw(learning_rate=0.1, weight_decay=0.1, max_gradient_norm=1.0)

    def costs(**options):
        steps = compile_steps(task, optimizer, ema_decay=0.9, **options)
        lowered = steps.train.__wrapped__.lower(steps.abstract_state, make_batch(0))
        return steps.abstract_state, cost(lowered.compile())

    def forward(params, batch):
        rng = jax.random.key(0)
        output = output_of(task, {"params": params}, batch, rng=rng, train=True)
        return output.loss, output.metrics

    state, (flops, memory) = costs(freeze=ALL_BUT_THE_HEAD)
    least_flops, least = cost(jax.jit(forward).lower(state.params, make_batch(0)).compile())
    _, (full_flops, full) = costs()
    assert flops < 1.1 * least_flops and memory < 1.1 * least
    assert full_flops > 2 * least_flops and full > 2 * least
