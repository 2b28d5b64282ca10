import json
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video import optimizers
from scenic_video.config import build

SCHEDULES = json.loads((Path(__file__).parents[1] / "golden/schedules.json").read_text())
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


def test_host_and_device_have_the_same_rates():
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
