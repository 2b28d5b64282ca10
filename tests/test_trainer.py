import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from scenic_video import sharding, trainer
from scenic_video.checkpoints import Checkpoints
from scenic_video.config import build
from scenic_video.sharding import Placement
from scenic_video.tasks.classification import Classification
from scenic_video.trainer import TrainerOptions
from tests.helpers.tiny_vivit import MODEL, make_batch, make_task

BATCH = 8
MESHES = [
    dict(data=8),
    dict(data=1, fsdp=8),
    dict(data=1, tensor=4, fsdp=2),
    dict(data=2, fsdp=2, tensor=2),
]


OURS = Placement(model_rules=MODEL.sharding_rules)


def compile_steps(mesh_axes, task=None, optimizer=None, placement=OURS, **options):
    devices = int(np.prod(list(mesh_axes.values())))
    mesh = sharding.make_mesh(**{"fsdp": 1, **mesh_axes}, devices=jax.devices()[:devices])
    return trainer.compile_steps(
        task=task or make_task(),
        optimizer=optimizer or optax.sgd(0.1, momentum=0.9),
        options=TrainerOptions(num_steps=3, **options),
        example_batch=make_batch(0, size=1),
        mesh=mesh,
        placement=placement,
    )


def run(steps, batch=make_batch):
    state, losses = steps.init(), []
    for step in range(3):
        put = sharding.put_batch(batch(step), steps.mesh, BATCH)
        state, metrics = steps.train(state, put)
        losses.append(float(metrics["loss"].compute()))
    return jax.device_get(state), losses


@functools.cache
def trained(**mesh_axes):
    """The steps on this mesh, compiled once, with the state and losses of a run by them."""
    steps = compile_steps(mesh_axes)
    return steps, *run(steps)


def assert_same_params(a, b, atol):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=atol), a.params, b.params)


@pytest.mark.parametrize("mesh", MESHES, ids=str)
def test_eight_devices_train_as_one(mesh):
    _, state, losses = trained(**mesh)
    _, expected, expected_losses = trained(data=1)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    assert_same_params(state, expected, atol=1e-5)


def test_parameters_are_spread_over_fsdp_and_tensor():
    steps, *_ = trained(data=1, tensor=4, fsdp=2)
    state = steps.init()
    kernel = state.params["SpatialTransformer"]["encoderblock_0"]["MlpBlock_0"]["Dense_0"]["kernel"]
    assert kernel.addressable_shards[0].data.size == kernel.size // 8
    momentum = state.opt_state[0].trace["SpatialTransformer"]["encoderblock_0"]["MlpBlock_0"]
    assert momentum["Dense_0"]["kernel"].sharding == kernel.sharding


class Perceptron(nn.Module):
    """A model of somebody else: no module is named as ours are, nor does it declare rules."""

    @nn.compact
    def __call__(self, *, rgb, train):
        hidden = nn.relu(nn.Dense(64)(rgb.reshape(len(rgb), -1)))
        return nn.Dense(5)(nn.relu(nn.Dense(16)(hidden)))


@functools.cache
def perceptron_on_one_device():
    return run(compile_steps(dict(data=1), make_task(Perceptron())))


OVER_TENSOR = (("Dense_0/kernel", (None, "tensor")), ("Dense_1/kernel", ("tensor", None)))


@pytest.mark.parametrize(
    ("mesh", "placement", "parts"),
    [
        (dict(data=1, fsdp=2), Placement(min_bytes=0), 2),
        (dict(data=1, tensor=2), Placement(rules=OVER_TENSOR), 2),
        (dict(data=1, fsdp=2, tensor=2), Placement(rules=OVER_TENSOR[:1], min_bytes=0), 2),
        (dict(data=1, fsdp=2), Placement(), 1),
    ],
    ids=str,
)
def test_a_model_of_plain_layers_is_split_and_trains_as_on_one_device(mesh, placement, parts):
    steps = compile_steps(mesh, make_task(Perceptron()), placement=placement)
    for name in ("Dense_0", "Dense_1"):
        kernel = steps.abstract_state.params[name]["kernel"]
        shard = kernel.sharding.shard_shape(kernel.shape)
        assert math.prod(shard) * parts == math.prod(kernel.shape)
    state, losses = run(steps)
    expected, expected_losses = perceptron_on_one_device()
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    assert_same_params(state, expected, atol=1e-5)


@pytest.mark.parametrize("target", ["optax:lion", "optax.contrib:muon", "optax:adafactor"])
def test_any_optimizer_of_optax_trains_what_is_not_frozen_on_a_mesh_and_resumes(target, tmp_path):
    node = {"target": "scenic_video.optimizers:chain", "direction": {"target": target}}
    node |= {"weight_decay": 0.1, "max_gradient_norm": 1.0, "layer_decay": 0.5}
    layers = {"Dense_0": 2, "Dense_1": 1, "Dense_2": 0}
    optimizer = build(
        node, learning_rate=1e-2, layers_after=lambda path: layers.get(path.split("/")[0])
    )
    steps = compile_steps(
        dict(data=1, fsdp=2),
        make_task(Perceptron()),
        optimizer,
        Placement(min_bytes=0),
        freeze=("^Dense_0/",),
    )
    start = jax.device_get(steps.init().params)
    state, losses = run(steps, batch=lambda step: make_batch(0))
    assert losses[-1] < losses[0]
    jax.tree.map(np.testing.assert_array_equal, state.params["Dense_0"], start["Dense_0"])
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(3, jax.device_put(state, steps.state_shardings), {}, block=True)
        resumed, _ = checkpoints.restore(None, steps.abstract_state)
    jax.tree.map(np.testing.assert_array_equal, resumed, state)


def test_nothing_recompiles():
    steps, *_ = trained(data=8)
    run(steps)
    assert steps.train.__wrapped__._cache_size() == 1


def plain_task():
    """Without chance, so that parts and whole see the same."""
    return make_task(MODEL.clone(stochastic_depth_rate=0.0))


def uneven_batch(step):
    batch = make_batch(step)
    batch["mask"][[1, 2, 6]] = 0.0
    return batch


@functools.cache
def whole():
    return run(compile_steps(dict(data=2), plain_task()), batch=uneven_batch)


@pytest.mark.parametrize("parts", [2, 4])
def test_accumulated_parts_of_uneven_weight_equal_the_whole_batch(parts):
    expected, losses = whole()
    split, split_losses = run(
        compile_steps(dict(data=2), plain_task(), micro_batches=parts), batch=uneven_batch
    )
    np.testing.assert_allclose(split_losses, losses, rtol=1e-5)
    assert_same_params(split, expected, atol=1e-6)


def test_parts_that_do_not_divide_are_an_error():
    steps = compile_steps(dict(data=1), micro_batches=3)
    with pytest.raises(ValueError, match="batch of 8 cannot be split into trainer.micro_batches=3"):
        run(steps)


class Poisoned(Classification):
    """A task whose loss is not a number for batches without weight."""

    def __call__(self, variables, batch, *, rng, train):
        output = super().__call__(variables, batch, rng=rng, train=train)
        return output._replace(loss=jnp.where(output.weight > 0, output.loss, jnp.nan))


@functools.cache
def averaged():
    """Steps of that task that average parameters, at a decay of one half."""
    task = plain_task()
    task = Poisoned(model=task.model, heads=task.heads, transform=task.transform)
    return compile_steps(dict(data=1), task, ema_decay=0.5)


def test_a_step_without_a_finite_loss_changes_only_the_counters():
    steps = averaged()
    state = steps.init()
    before = jax.device_get(state)
    bad = make_batch(0)
    bad["mask"][:] = 0.0
    for _ in range(2):
        state, metrics = steps.train(state, sharding.put_batch(bad, steps.mesh, BATCH))
    after = jax.device_get(state)
    assert (after.step, after.bad_steps) == (2, 2)
    assert metrics["skipped_share"].compute() == 1.0
    unchanged = before.replace(step=after.step, bad_steps=after.bad_steps)
    jax.tree.map(np.testing.assert_array_equal, after, unchanged)
    state, _ = steps.train(state, sharding.put_batch(make_batch(1), steps.mesh, BATCH))
    assert (int(state.step), int(state.bad_steps)) == (3, 0)


def test_the_average_of_parameters_is_what_is_evaluated():
    steps = averaged()
    state = steps.init()
    first = jax.device_get(state.params)
    state, _ = steps.train(state, sharding.put_batch(make_batch(0), steps.mesh, BATCH))
    expected = jax.tree.map(lambda a, b: (a + b) / 2, first, jax.device_get(state.params))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), state.eval_params, expected
    )


@pytest.mark.parametrize(
    "fields",
    [{}, {"num_steps": 1, "num_epochs": 1.0}, {"num_steps": 1, "log_every": 0}, {"num_steps": 0}],
)
def test_options_that_make_no_sense_are_errors(fields):
    with pytest.raises(
        ValueError, match="needs either num_steps or num_epochs|(log_every|num_steps) is 0"
    ):
        build({"target": "scenic_video.trainer:TrainerOptions", **fields})
