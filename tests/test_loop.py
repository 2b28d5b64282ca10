"""The loop's clock: what it calls waiting for data, and what it calls computing."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video import loop, metrics
from scenic_video.trainer import TrainerOptions, TrainState


class Recorder:
    def __init__(self):
        self.logs, self.evaluations = {}, {}

    def on_log(self, step, scalars):
        self.logs[step] = scalars

    def on_evaluation(self, step, scalars):
        self.evaluations[step] = scalars


def slow_on_device(seconds):
    """A jitted step that takes so long on the device, while the host goes on."""

    def sleep(x):
        time.sleep(seconds)
        return np.asarray(x)

    @jax.jit
    def step(state, batch):
        count = jax.pure_callback(sleep, jax.ShapeDtypeStruct((), jnp.int32), state.step)
        bad = jnp.where(batch > 0, state.bad_steps + 1, 0)
        state = state.replace(step=count + 1, bad_steps=bad)
        weight = jnp.where(batch < 0, 0.0, 1.0)
        return state, {"loss": metrics.scalar(count.astype(jnp.float32), weight)}

    return step


def train(
    step, *, batches, num_steps=8, log_every=4, eval_every=100, stop_at=None, saved=None, further=()
):
    recorder, saved = Recorder(), [] if saved is None else saved
    zero = jnp.zeros((), jnp.int32)
    state = TrainState(zero, {}, (), {}, None, zero)
    loop.train(
        state,
        train_step=step,
        batches=iter(batches),
        cadence=loop.Cadence(num_steps, log_every, eval_every, num_steps),
        hooks=loop.Hooks(
            evaluations=[
                loop.PeriodicEvaluation(eval_every, lambda state: {"top1": 0.5}),
                *further,
            ],
            save=lambda state, scalars: saved.append((int(state.step), scalars)),
            observer=recorder,
            should_stop=lambda step: step == stop_at,
        ),
        max_bad_steps=3,
    )
    return recorder


def slowly(batches, seconds):
    for batch in batches:
        time.sleep(seconds)
        yield batch


def test_a_device_that_computes_is_not_waiting_for_data():
    recorder = train(slow_on_device(0.1), batches=slowly([0] * 8, 0.02))
    log = recorder.logs[8]
    assert log["time/compute_share"] > log["time/data_wait_share"]


def test_a_device_without_data_is():
    recorder = train(slow_on_device(0.0), batches=slowly([0] * 8, 0.1))
    log = recorder.logs[8]
    assert log["time/data_wait_share"] > log["time/compute_share"]


def test_intervals_hold_the_mean_of_their_steps():
    recorder = train(slow_on_device(0.0), batches=[0] * 8)
    assert recorder.logs[4]["loss"] == pytest.approx(1.5)
    assert recorder.logs[8]["loss"] == pytest.approx(5.5)


def test_too_many_bad_steps_in_a_row_stop_the_run_and_are_named():
    with pytest.raises(loop.NonFiniteLoss) as error:
        train(slow_on_device(0.0), batches=[0, 1, 1, 0, 1, 1, 1, 0])
    assert error.value.steps == range(5, 8)


def test_stopping_saves_what_is_done():
    saved = []
    train(slow_on_device(0.0), batches=[0] * 8, stop_at=3, saved=saved)
    assert saved == [(3, {})]


def test_evaluations_reach_the_observer_and_the_checkpoint():
    saved = []
    recorder = train(slow_on_device(0.0), batches=[0] * 8, eval_every=4, saved=saved)
    assert recorder.evaluations == {4: {"top1": 0.5}, 8: {"top1": 0.5}}
    assert saved == [(8, {"top1": 0.5})]


def test_each_evaluation_has_a_cadence_of_its_own_and_all_run_at_the_last_step():
    seldom = loop.PeriodicEvaluation(3, lambda state: {"probe": float(state.step)})
    recorder = train(slow_on_device(0.0), batches=[0] * 8, eval_every=4, further=[seldom])
    found = {step: sorted(scalars) for step, scalars in recorder.evaluations.items()}
    assert found == {3: ["probe"], 4: ["top1"], 6: ["probe"], 8: ["probe", "top1"]}


def test_epochs_become_steps():
    cadence = loop.Cadence.of(TrainerOptions(num_epochs=3, log_every=7), steps_per_epoch=10.5)
    assert (cadence.num_steps, cadence.eval_every, cadence.checkpoint_every) == (32, 11, 11)


def test_steps_of_which_no_example_counts_stop_the_run():
    with pytest.raises(loop.NoWeight, match="steps 3 to 6 counted") as error:
        train(slow_on_device(0.0), batches=[0, 0, *[-1] * 6], log_every=2)
    assert error.value.steps == range(3, 7)


def test_a_short_run_of_which_no_example_counts_is_an_error_too():
    with pytest.raises(loop.NoWeight):
        train(slow_on_device(0.0), batches=[-1, -1], num_steps=2)


def test_a_few_steps_without_examples_that_count_are_passed_over():
    train(slow_on_device(0.0), batches=[-1, -1, 0, -1, -1, 0, -1, -1], log_every=1)
