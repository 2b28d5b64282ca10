"""Gradients with respect to trained parameters, for a whole batch or accumulated over parts."""

from typing import Any

import jax
import jax.numpy as jnp

from scenic_video import sharding
from scenic_video.errors import UserError
from scenic_video.optimizers.freezing import with_part
from scenic_video.tasks.task import Batch, Output, Task, Variables, output_of


def accumulated_gradients(
    task: Task,
    variables: Variables,
    batch: Batch,
    *,
    trained: Any,
    rng: jax.Array,
    num_parts: int,
) -> tuple[Any, Output]:
    """Gradients of the mean loss over the batch with respect to `trained`, some of the parameters.

    The batch is processed in `num_parts` parts, one after another. Sums are accumulated and divided
    once, so parts of uneven weight count exactly as in the whole batch. Part i has the examples i,
    i + num_parts, ..., so that each part is spread over all devices.
    """
    state = {name: collection for name, collection in variables.items() if name != "params"}

    def weighted_loss(trained: Any, state: Variables, part: Batch, rng: jax.Array):
        params = with_part(variables["params"], trained)
        output = output_of(task, {"params": params, **state}, part, rng=rng, train=True)
        return output.loss * output.weight, output._replace(predictions={})

    grad = jax.grad(weighted_loss, has_aux=True)
    if num_parts == 1:
        gradients, output = grad(trained, state, batch, rng)
        return _divide(gradients, output.weight), output

    def add_part(carry: tuple[Any, Variables], indexed_part: tuple[jax.Array, Batch]):
        index, part = indexed_part
        part = jax.tree.map(lambda x: sharding.constrain(x, sharding.BATCH), part)
        gradients, output = grad(trained, carry[1], part, jax.random.fold_in(rng, index))
        total = jax.tree.map(jnp.add, carry[0], gradients)
        return (total, output.model_state), output._replace(model_state={})

    parts = jax.tree.map(lambda x: _interleave(x, num_parts), batch)
    zeros = jax.tree.map(jnp.zeros_like, trained)
    (gradients, state), outputs = jax.lax.scan(
        add_part, (zeros, state), (jnp.arange(num_parts), parts)
    )
    output = _merged(outputs, state)
    return _divide(gradients, output.weight), output


def _merged(outputs: Output, model_state: Variables) -> Output:
    """One output from the outputs of all parts, which are stacked along the first axis."""
    weight = outputs.weight.sum()
    return Output(
        loss=(outputs.loss * outputs.weight).sum() / jnp.maximum(weight, 1e-8),
        weight=weight,
        metrics={name: metric.reduce() for name, metric in outputs.metrics.items()},
        model_state=model_state,
        predictions={},
    )


def _interleave(x: jax.Array, num_parts: int) -> jax.Array:
    if x.shape[0] % num_parts:
        raise UserError(
            f"A batch of {x.shape[0]} cannot be split into trainer.micro_batches={num_parts}."
        )
    return x.reshape(x.shape[0] // num_parts, num_parts, *x.shape[1:]).swapaxes(0, 1)


def _divide(tree: Any, weight: jax.Array) -> Any:
    return jax.tree.map(lambda x: x / jnp.maximum(weight, 1e-8), tree)
