"""The trainer: the state, one pure step for training and one for evaluation, compiled for a mesh.

It does not depend on a model, loss or dataset: a `Task` provides all three, an optax transformation
for the optimizer, and a mesh for the devices.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from scenic_video import metrics as metrics_lib
from scenic_video import sharding
from scenic_video.config import check_fields, require
from scenic_video.errors import UserError
from scenic_video.field_types import InnerShare, Positive, PositiveInt
from scenic_video.gradients import accumulated_gradients
from scenic_video.optimizers.freezing import trained_part, with_part
from scenic_video.tasks.task import Batch, Output, Task, Variables, output_of


class TrainState(struct.PyTreeNode):
    """The state of training; it has no random keys, since these are `fold_in(seed, step)`.

    `step` and `bad_steps`, the steps in a row whose loss or gradient was not finite, are int32
    scalars. `params` are all parameters; `opt_state` and `ema_params` (None without `ema_decay`)
    are of the trained ones only. Leaves are arrays, or results of `tree.map` such
    as shapes and shardings.
    """

    step: Any
    params: Any
    opt_state: Any
    model_state: Any
    ema_params: Any
    bad_steps: Any

    @property
    def eval_params(self) -> Any:
        """The parameters to evaluate: averages if there are any."""
        return self.params if self.ema_params is None else with_part(self.params, self.ema_params)


@dataclasses.dataclass(frozen=True)
class TrainerOptions:
    """The duration of training, and the intervals of evaluation, saving and logging.

    Give `num_steps` or `num_epochs`. "Every" counts steps; `eval_every=None` evaluates once an
    epoch, and `checkpoint_every=None` saves after each evaluation. The batch is processed in
    `micro_batches` parts, one after another, when memory is short. `ema_decay` (0.9999, say)
    keeps an average of the parameters and evaluates that. `freeze` holds regular expressions:
    parameters whose path matches one are not trained, and cost only the forward pass.
    `best_metric` names a metric of the evaluation; the checkpoint where it is best (a loss: lowest,
    others: highest) is kept too. After `max_bad_steps` steps in a row without a finite loss the run
    stops.
    """

    num_steps: PositiveInt | None = None
    num_epochs: Positive | None = None
    log_every: PositiveInt = 50
    eval_every: PositiveInt | None = None
    checkpoint_every: PositiveInt | None = None
    keep_last: PositiveInt = 2
    best_metric: str | None = None
    micro_batches: PositiveInt = 1
    ema_decay: InnerShare | None = None
    freeze: Sequence[str] = ()
    max_bad_steps: PositiveInt = 5

    def __post_init__(self):
        check_fields(self)
        one = (self.num_steps is None) != (self.num_epochs is None)
        require({"either num_steps or num_epochs": one}, of=self)


def init_state(
    task: Task,
    optimizer: optax.GradientTransformation,
    rng: jax.Array,
    options: TrainerOptions,
    batch: Batch,
) -> TrainState:
    """A state at step 0. Pure, so that `jit` can create every leaf with its sharding."""
    model_state = task.init(rng, batch)
    if not isinstance(model_state, Mapping) or "params" not in model_state:
        raise UserError(
            f"{type(task).__name__}.init returned a {type(model_state).__name__}; wanted the "
            "variables of a model with parameters, {'params': ...}, as of model.init(...)."
        )
    model_state = dict(model_state)
    params = model_state.pop("params")
    trained = trained_part(params, options.freeze)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=optimizer.init(trained),
        model_state=model_state,
        ema_params=jax.tree.map(jnp.copy, trained) if options.ema_decay is not None else None,
        bad_steps=jnp.zeros((), jnp.int32),
    )


def train_step(
    task: Task,
    optimizer: optax.GradientTransformation,
    rng: jax.Array,
    options: TrainerOptions,
    state: TrainState,
    batch: Batch,
) -> tuple[TrainState, dict[str, metrics_lib.Metric]]:
    """One update of the trained parameters. If the loss, the gradient or the update is not finite,
    only the counters change."""
    rng = jax.random.fold_in(rng, state.step)
    trained = trained_part(state.params, options.freeze)
    variables = {"params": state.params, **state.model_state}
    gradients, output = accumulated_gradients(
        task, variables, batch, trained=trained, rng=rng, num_parts=options.micro_batches
    )
    norm = optax.tree.norm(gradients)
    updates, opt_state = optimizer.update(gradients, state.opt_state, trained)
    params = optax.apply_updates(trained, updates)
    average = _moving_average(state.ema_params, params, options.ema_decay)
    good = jnp.isfinite(output.loss) & jnp.isfinite(norm) & jnp.isfinite(optax.tree.norm(updates))
    params, opt_state, model_state, average = jax.tree.map(
        functools.partial(jnp.where, good),
        (params, opt_state, output.model_state, average),
        (trained, state.opt_state, state.model_state, state.ema_params),
    )
    state = TrainState(
        step=state.step + 1,
        params=with_part(state.params, params),
        opt_state=opt_state,
        model_state=model_state,
        ema_params=average,
        bad_steps=jnp.where(good, 0, state.bad_steps + 1),
    )
    norms = {"gradient_norm": metrics_lib.scalar(norm)}
    kept = jax.tree.map(lambda x: jnp.where(good, x, jnp.zeros_like(x)), output.metrics | norms)
    return state, kept | {"skipped_share": metrics_lib.scalar(1.0 - good)}


def _moving_average(average: Any, params: Any, decay: float | None) -> Any:
    if average is None or decay is None:
        return average
    return jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, average, params)


def eval_step(task: Task, rng: jax.Array, state: TrainState, batch: Batch) -> Output:
    """Metrics and predictions of one batch, with the evaluated parameters."""
    variables = {"params": state.eval_params, **state.model_state}
    output = output_of(task, variables, batch, rng=rng, train=False)
    return output._replace(model_state={})


EvalStep = Callable[[TrainState, Batch], Output]


@dataclasses.dataclass(frozen=True)
class Steps:
    """The compiled functions of a run, and the sharding of its state."""

    mesh: Mesh
    state_shardings: TrainState
    abstract_state: TrainState
    init: Callable[[], TrainState]
    train: Callable[[TrainState, Batch], tuple[TrainState, dict[str, metrics_lib.Metric]]]


def compile_steps(
    *,
    task: Task,
    optimizer: optax.GradientTransformation,
    options: TrainerOptions,
    example_batch: Batch,
    mesh: Mesh,
    placement: sharding.Placement = sharding.WITHOUT_RULES,
    seed: int = 0,
) -> Steps:
    """Compiles the step functions for a mesh: state sharded and donated, batch over the data axes.

    `example_batch` needs the shapes of a batch of one example; its values are not used.
    """
    init_rng, train_rng, _ = _rngs(seed)
    init = functools.partial(init_state, task, optimizer, init_rng, options, example_batch)
    abstract = jax.eval_shape(init)
    shardings = sharding.state_shardings(abstract, mesh, placement)
    over_batch = sharding.batch_sharding(mesh)
    replicated = NamedSharding(mesh, PartitionSpec())
    train = functools.partial(train_step, task, optimizer, train_rng, options)
    on_mesh = functools.partial(_on_mesh, mesh)
    return Steps(
        mesh=mesh,
        state_shardings=shardings,
        abstract_state=jax.tree.map(
            lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), abstract, shardings
        ),
        init=on_mesh(jax.jit(init, out_shardings=shardings)),
        train=on_mesh(
            jax.jit(
                train,
                in_shardings=(shardings, over_batch),
                out_shardings=(shardings, replicated),
                donate_argnums=0,
            )
        ),
    )


def compile_evaluation(task: Task, mesh: Mesh, *, seed: int = 0) -> EvalStep:
    """Compiles `eval_step` for a mesh: the state sharded, the batch over the data axes, the output
    on every device."""
    evaluate = functools.partial(eval_step, task, _rngs(seed)[2])
    replicated = NamedSharding(mesh, PartitionSpec())
    in_shardings = (None, sharding.batch_sharding(mesh))
    return _on_mesh(mesh, jax.jit(evaluate, in_shardings=in_shardings, out_shardings=replicated))


def _rngs(seed: int) -> jax.Array:
    """The keys of initialization, of training and of evaluation."""
    return jax.random.split(jax.random.key(seed), 3)


def _on_mesh(mesh: Mesh, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args):
        with jax.set_mesh(mesh):
            return function(*args)

    return call


def state_of(variables: Variables, steps: Steps, *, step: int) -> TrainState:
    """A state on the mesh of `steps` for the evaluation of the `variables` of a step."""
    model_state = dict(variables)
    state = steps.abstract_state.replace(
        step=jnp.asarray(step, jnp.int32),
        params=model_state.pop("params"),
        model_state=model_state,
        bad_steps=jnp.zeros((), jnp.int32),
    )
    # From the host, since other processes hold devices of these shardings too.
    return jax.device_put(jax.device_get(state), steps.state_shardings)
