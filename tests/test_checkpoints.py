import json
import logging
import math
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video import optimizers, sharding
from scenic_video.checkpoints import Checkpoints, CorruptedCheckpoint, SaveFailed, restore_params
from scenic_video.checkpoints.fingerprint import fingerprint
from scenic_video.optimizers.freezing import trained_part, with_part

META = {"config": {"lr": 0.1, "betas": (0.9, 0.999)}, "labels": ["côte", "b"], "nothing": None}


class State(NamedTuple):
    step: Any
    params: Any
    opt_state: Any
    model_state: Any
    ema_params: Any = None


def make_state(seed=0, *, width=64, ema=False):
    def draw(name, shape, dtype=jnp.float32):
        key = jax.random.fold_in(jax.random.key(seed), len(name))
        return jax.random.normal(key, shape, dtype)

    params = {
        "encoderblock_0": {
            "kernel": draw("kernel", (width, 2 * width)),
            "bias": draw("b", (width,)),
        },
        "head": {"kernel": draw("head", (width, 8), jnp.bfloat16), "mask": jnp.arange(5) > 2},
    }
    trained = trained_part(params, ("mask",))
    optimizer = optimizers.sgd(learning_rate=lambda step: 0.1)
    opt_state = jax.tree.map(lambda x: x + seed, optimizer.init(trained))
    average = jax.tree.map(lambda x: x * 2, trained) if ema else None
    model_state = {"batch_stats": {"mean": jnp.ones(3), "count": jnp.int32(7)}}
    return State(jnp.int32(seed), params, opt_state, model_state, average)


def lay(state, mesh):
    placement = sharding.Placement(min_bytes=1)
    return jax.device_put(state, sharding.state_shardings(state, mesh, placement))


def abstract(state):
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state
    )


def assert_bits_equal(a, b):
    def check(x, y):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y))

    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(check, a, b)


def save_all(directory, steps, **options):
    with Checkpoints(directory, **options) as checkpoints:
        for step in steps:
            checkpoints.save(step, make_state(step), META)


@pytest.mark.parametrize("sizes", [{"data": 1}, {"data": 2, "fsdp": 4}, {"tensor": 8}], ids=str)
def test_a_state_comes_back_bit_for_bit_on_any_mesh(tmp_path, sizes):
    state = lay(make_state(3, ema=True), sharding.make_mesh(fsdp=8))
    with Checkpoints(tmp_path / "new" / "checkpoints") as checkpoints:
        assert checkpoints.latest_step() is None
        checkpoints.save(3, state, META, {"top1": 0.5})
        devices = jax.devices()[: math.prod(sizes.values())]
        target = lay(
            make_state(ema=True), sharding.make_mesh(**{"data": 1} | sizes, devices=devices)
        )
        restored, meta = checkpoints.restore(None, abstract(target))
    assert_bits_equal(restored, state)
    jax.tree.map(lambda x, y: x.sharding == y.sharding or pytest.fail(str(x)), restored, target)
    expected = json.loads(json.dumps(META)) | {"step": 3, "metrics": {"top1": 0.5}}
    assert meta == checkpoints.read_meta(3) == checkpoints.read_meta() == expected


def test_a_state_may_be_donated_while_it_is_saved(tmp_path):
    state = make_state(1, width=512)
    expected = jax.tree.map(np.array, state)
    spoil = jax.jit(lambda tree: jax.tree.map(lambda x: x * 0, tree), donate_argnums=0)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state, META)
        jax.block_until_ready(spoil(state))
        restored, _ = checkpoints.restore(1, abstract(make_state(width=512)))
    assert_bits_equal(restored, expected)


def test_the_last_and_the_best_are_kept_over_a_restart(tmp_path):
    options = {"keep_last": 2, "best_metric": "top1"}
    with Checkpoints(tmp_path, **options) as checkpoints:
        for step, top1 in ((1, 0.2), (2, 0.9), (3, math.nan), (4, 0.4)):
            checkpoints.save(step, make_state(step), META, {"top1": top1})
        assert checkpoints.steps() == [2, 3, 4]
    with Checkpoints(tmp_path, **options) as checkpoints:
        checkpoints.save(5, make_state(5), META)
        checkpoints.save(6, make_state(6), META, {"top1": 0.3})
        assert checkpoints.steps() == [2, 5, 6]
        assert (checkpoints.best_step(), checkpoints.latest_step()) == (2, 6)
        checkpoints.save(7, make_state(7), META, {"top1": 0.9})
        assert checkpoints.steps() == [6, 7]


def test_the_lowest_can_be_the_best(tmp_path):
    with Checkpoints(tmp_path, keep_last=1, best_metric="loss", best_mode="min") as checkpoints:
        for step, loss in enumerate((3.0, 1.0, 2.0)):
            checkpoints.save(step, make_state(step), META, {"loss": loss})
        assert checkpoints.steps() == [1, 2]
    assert restore_params(tmp_path)[1]["step"] == 1


def test_the_previous_checkpoint_outlives_a_save_that_fails(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_last=1)
    checkpoints.save(1, make_state(1), META, block=True)
    big = make_state(2, width=1024)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))  # as a full disk
    try:
        checkpoints.save(2, big, META)
        with pytest.raises(RuntimeError, match=r"Step 2 could not be saved .* on disk: \[1\]"):
            checkpoints.save(3, big, META)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    restored, _ = checkpoints.restore(None, abstract(make_state()))
    assert_bits_equal(restored, make_state(1))
    checkpoints.save(2, big, META)
    assert checkpoints.steps() == [2]
    checkpoints.close()


def test_a_failed_save_is_raised_by_the_next_check_without_another_save(tmp_path, caplog):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        with Checkpoints(tmp_path) as checkpoints:
            checkpoints.check()
            checkpoints.save(2, make_state(2, width=1024), META)
            with pytest.raises(SaveFailed, match="Step 2 could not be saved"):
                for _ in range(600):
                    checkpoints.check()
                    time.sleep(0.1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "Traceback" not in caplog.text


def test_close_raises_for_a_save_that_failed(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        with pytest.raises(RuntimeError, match="Step 2 could not be saved"):
            with Checkpoints(tmp_path) as checkpoints:
                checkpoints.save(2, make_state(2, width=1024), META)
        with pytest.raises(KeyError, match="the error of the run"):
            with Checkpoints(tmp_path) as checkpoints:
                checkpoints.save(2, make_state(2, width=1024), META)
                raise KeyError("the error of the run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def largest_file(folder):
    return max((f for f in folder.rglob("*") if f.is_file()), key=lambda f: f.stat().st_size)


def flip_byte(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x01
    file.write_bytes(content)


DAMAGES = {
    "a flipped bit": lambda step: flip_byte(largest_file(step / "state")),
    "a truncated file": lambda step: os.truncate(largest_file(step / "state"), 1000),
    "a deleted file": lambda step: largest_file(step / "state").unlink(),
    "no state": lambda step: shutil.rmtree(step / "state"),
    "a changed header": lambda step: change_header(step),
    "half a header": lambda step: os.truncate(step / "header" / "data.json", 100),
    "no header": lambda step: shutil.rmtree(step / "header"),
}


def change_header(step):
    file = step / "header" / "data.json"
    file.write_text(file.read_text().replace('"lr": 0.1', '"lr": 0.2'))


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_and_the_step_before_restored(tmp_path, damage, caplog):
    save_all(tmp_path, (1, 2))
    DAMAGES[damage](tmp_path / "2")
    target = abstract(make_state())
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(CorruptedCheckpoint, match=f"{tmp_path}/2: "):
            checkpoints.restore(2, target)
        with caplog.at_level(logging.WARNING):
            restored, meta = checkpoints.restore(None, target)
        assert f"DAMAGED CHECKPOINT {tmp_path}/2: " in caplog.text
        assert_bits_equal(restored, make_state(1))
        assert meta["step"] == 1
        assert (tmp_path / "2").exists()


def test_the_array_with_a_flipped_bit_is_named(tmp_path):
    save_all(tmp_path, (1,))
    DAMAGES["a flipped bit"](tmp_path / "1")
    with pytest.raises(
        CorruptedCheckpoint, match="1 of .* arrays have changed since they were saved: params/"
    ):
        restore_params(tmp_path)


def test_a_run_continues_past_a_damaged_step_without_deleting_it(tmp_path):
    save_all(tmp_path, (1, 2))
    DAMAGES["a flipped bit"](tmp_path / "2")
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.restore(None, abstract(make_state()))
        checkpoints.save(2, make_state(22), META)
        assert checkpoints.steps() == [1, 2]
        restored, _ = checkpoints.restore(2, abstract(make_state()))
    assert_bits_equal(restored, make_state(22))
    assert (tmp_path / "2.damaged" / "header").exists()


def test_nothing_good_is_an_error_that_names_every_step(tmp_path):
    save_all(tmp_path, (1, 2))
    DAMAGES["a flipped bit"](tmp_path / "1")
    DAMAGES["no header"](tmp_path / "2")
    with pytest.raises(CorruptedCheckpoint, match="(?s)/2: its header.*/1: 1 of .* arrays"):
        Checkpoints(tmp_path).restore(None, abstract(make_state()))


def test_another_structure_is_an_error_with_a_table_of_differences(tmp_path):
    save_all(tmp_path, (1, 2))
    state = make_state()
    params = state.params | {"new": jnp.ones(2), "head": {"kernel": jnp.ones((64, 5))}}
    params["encoderblock_0"] = jax.tree.map(
        lambda x: x.astype(jnp.bfloat16), params["encoderblock_0"]
    )
    target = abstract(state._replace(params=params))
    with pytest.raises(ValueError) as error:
        Checkpoints(tmp_path).restore(None, target)
    lines = [" ".join(line.split()) for line in str(error.value).splitlines()]
    assert (
        lines[0]
        == f"Checkpoint {tmp_path}/2 does not match the state of this run; 5 arrays differ:"
    )
    assert "missing params/new - float32[2]" in lines
    assert "unexpected params/head/mask bool[5] -" in lines
    assert "shape params/head/kernel bfloat16[64, 8] float32[64, 5]" in lines
    assert "dtype params/encoderblock_0/bias float32[64] bfloat16[64]" in lines


def test_params_are_read_without_the_optimizer(tmp_path):
    state = make_state(1)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state, META)
    variables, meta = restore_params(tmp_path)
    assert_bits_equal(variables, {"params": state.params, **state.model_state})
    assert meta["step"] == 1 and meta["labels"] == META["labels"]


def test_averaged_params_are_preferred(tmp_path):
    state = make_state(1, ema=True)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state, META)
    evaluated = with_part(state.params, state.ema_params)
    assert_bits_equal(restore_params(tmp_path)[0]["params"], evaluated)
    assert_bits_equal(restore_params(tmp_path, averaged=False)[0]["params"], state.params)


def test_params_come_from_the_best_step_or_a_given_one(tmp_path, caplog):
    with Checkpoints(tmp_path, keep_last=3, best_metric="top1") as checkpoints:
        for step, top1 in ((1, 0.2), (2, 0.9), (3, 0.4)):
            checkpoints.save(step, make_state(step), META, {"top1": top1})
    assert restore_params(tmp_path)[1]["step"] == 2
    assert_bits_equal(restore_params(tmp_path, step=1)[0]["params"], make_state(1).params)
    DAMAGES["a truncated file"](tmp_path / "2")
    assert restore_params(tmp_path)[1]["step"] == 3
    assert "DAMAGED" in caplog.text


def test_reading_changes_nothing_on_disk(tmp_path):
    save_all(tmp_path, (1,))
    leftover = tmp_path / "2.orbax-checkpoint-tmp"
    leftover.mkdir()
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.restore(None, abstract(make_state()))
        assert checkpoints.steps() == [1]
    restore_params(tmp_path)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(2, make_state(2), META)
    assert not leftover.exists()


def test_arguments_that_do_not_fit_are_errors(tmp_path):
    state = make_state(1)
    with Checkpoints(tmp_path, best_metric="top1") as checkpoints:
        with pytest.raises(FileNotFoundError, match="no checkpoint in"):
            checkpoints.restore(None, state)
        with pytest.raises(ValueError, match="best_metric='top1' is not one of the metrics: loss"):
            checkpoints.save(1, state, META, {"loss": 1.0})
        with pytest.raises(ValueError, match="must be JSON"):
            checkpoints.save(1, state, {"when": jnp})
        with pytest.raises(ValueError, match="State leaf step must be a jax.Array; got int"):
            checkpoints.save(1, state._replace(step=1), META)
        checkpoints.save(1, state, META)
        with pytest.raises(ValueError, match="Step 1 is already saved"):
            checkpoints.save(1, state, META)
        with pytest.raises(FileNotFoundError, match=r"no step 7 in .*; there are \[1\]"):
            checkpoints.restore(7, state)
    with pytest.raises(FileNotFoundError, match="no checkpoint in"):
        restore_params(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="Checkpoints.keep_last is 0; wanted"):
        Checkpoints(tmp_path, keep_last=0)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.int32, jnp.uint8, jnp.bool_])
def test_fingerprints_depend_on_every_bit_and_its_position_on_any_mesh(dtype):
    x = jax.random.bits(jax.random.key(0), (8, 6), jnp.uint8)
    x = (x > 100) if dtype == jnp.bool_ else x.astype(dtype)
    expected = fingerprint(x)
    mesh = sharding.make_mesh(data=4, tensor=2)
    for spec in (jax.P("data"), jax.P(("data", "tensor")), jax.P("data", "tensor")):
        laid = jax.device_put(x, jax.sharding.NamedSharding(mesh, spec))
        assert fingerprint(laid) == expected
    assert fingerprint(jnp.roll(x, 1)) != expected
    host = np.array(x)
    for place in range(0 if dtype == jnp.bool_ else host.nbytes):
        flipped = host.copy()
        flipped.view(np.uint8).reshape(-1)[place] ^= 0x80
        assert fingerprint(flipped) != expected


KILLED = """
import os, signal, sys
import jax.numpy as jnp, numpy as np
from scenic_video.checkpoints import Checkpoints
directory = sys.argv[1]
checkpoints = Checkpoints(directory)
weights = {f"w{i}": jnp.array(np.random.default_rng(i).random((2048, 512))) for i in range(8)}
checkpoints.save(1, {"params": weights}, {"step of save": 1}, block=True)
checkpoints.save(2, {"params": weights}, {"step of save": 2})
while os.listdir(directory) == ["1"]:
    pass
print("killed in", sorted(os.listdir(directory)), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_killed_while_it_saves_leaves_a_checkpoint_to_restore(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert "2.orbax-checkpoint-tmp" in killed.stdout  # it died in mid-save
    variables, meta = restore_params(tmp_path)
    assert meta["step of save"] == meta["step"] == 1
    expected = np.random.default_rng(5).random((2048, 512)).astype(np.float32)
    np.testing.assert_array_equal(variables["params"]["w5"], expected)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(2, {"params": variables["params"]}, {})
        assert checkpoints.steps() == [1, 2]
    assert sorted(path.name for path in Path(tmp_path).iterdir()) == ["1", "2"]


TWO_PROCESSES = """
import sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from scenic_video import sharding
from scenic_video.checkpoints import Checkpoints, restore_params
directory, port, index, task = sys.argv[1:]
jax.distributed.initialize(f"localhost:{port}", num_processes=2, process_id=int(index))
mesh = sharding.make_mesh(fsdp=4)
placed = NamedSharding(mesh, PartitionSpec("fsdp"))
aim = {"params": {"w": jax.ShapeDtypeStruct((64, 64), jnp.float32, sharding=placed)}}
values = lambda step: step + jnp.arange(64.0 * 64).reshape(64, 64)
make = jax.jit(lambda step: {"params": {"w": values(step)}}, out_shardings=placed)
with Checkpoints(directory) as checkpoints:
    if task == "save":
        for step in (1, 2, 3):
            checkpoints.save(step, make(step), {"processes": jax.process_count()})
    else:
        state, meta = checkpoints.restore(None, aim)
        assert meta["step"] == 2, meta
        for shard in state["params"]["w"].addressable_shards:
            np.testing.assert_array_equal(shard.data, values(2)[shard.index])
        checkpoints.save(3, make(33), {})
    steps = checkpoints.steps()
replicated = NamedSharding(mesh, PartitionSpec())
variables, _ = restore_params(directory, sharding=replicated)
local, _ = restore_params(directory)
np.testing.assert_array_equal(jax.device_get(variables["params"]["w"]), local["params"]["w"])
print("steps", steps)
"""


def run_two_processes(directory, task):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TWO_PROCESSES, str(directory), port, str(index), task],
            env={**os.environ, **flags},
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    try:
        answers = [process.communicate(timeout=100)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0]
    assert all(answer.endswith("steps [2, 3]\n") for answer in answers)


@pytest.mark.slow
def test_two_processes_save_together_and_skip_the_same_damaged_step(tmp_path):
    run_two_processes(tmp_path, "save")
    expected = 3 + np.arange(64.0 * 64, dtype=np.float32).reshape(64, 64)
    variables, meta = restore_params(tmp_path)
    np.testing.assert_array_equal(variables["params"]["w"], expected)
    assert meta["processes"] == 2
    DAMAGES["a truncated file"](tmp_path / "3")
    run_two_processes(tmp_path, "resume")
    assert (tmp_path / "3.damaged").exists()


@pytest.mark.parametrize("damage", [b"", b"\xff{}", b"[1]", b'{"top1"'])
def test_damaged_metrics_of_a_step_are_written_again_from_its_header(tmp_path, damage):
    with Checkpoints(tmp_path, best_metric="top1") as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, make_state(step), META, {"top1": step / 4}, block=True)
    metrics = tmp_path / "2" / "metrics" / "metrics"
    whole = json.loads(metrics.read_bytes())
    metrics.write_bytes(damage)
    with Checkpoints(tmp_path, best_metric="top1") as checkpoints:
        checkpoints.save(3, make_state(3), META, {"top1": 0.0})
        checkpoints.save(4, make_state(4), META, {"top1": 0.0})
        assert checkpoints.best_step() == 2
    assert json.loads(metrics.read_bytes()) == whole


UNREADABLE = """
import os, sys
from pathlib import Path
import jax.numpy as jnp, jax
from scenic_video.checkpoints import Checkpoints, UnreadableCheckpoint
folder = Path(sys.argv[1])
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    Checkpoints(folder).read_meta()
except UnreadableCheckpoint as error:
    print(error)
"""


@pytest.mark.parametrize("part", ["header", "header/data.json"])
def test_a_step_without_read_permission_is_not_called_damaged(part):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to other users
        run = Path(folder) / "run"
        save_all(run, [1, 2])
        Path(folder).chmod(0o755)
        hidden = run / "2" / part
        hidden.chmod(0)
        said = subprocess.run(
            [sys.executable, "-c", UNREADABLE, run], capture_output=True, text=True
        )
        hidden.chmod(0o755)
        assert "Permission denied" in said.stdout and "read permission" in said.stdout, said.stderr
        assert sorted(path.name for path in run.iterdir()) == ["1", "2"]
