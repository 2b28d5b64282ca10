import functools
import os
import socket
import subprocess
import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from projects.vivit.model import FactorisedEncoder
from scenic_video import optimizers, sharding
from scenic_video.optimizers.freezing import trained_part
from scenic_video.sharding import Placement

P = PartitionSpec


class State(NamedTuple):
    step: Any
    params: Any
    opt_state: Any
    ema_params: Any = None


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ({}, (8, 1, 1, 1)),
        ({"data": 2, "fsdp": -1}, (2, 4, 1, 1)),
        ({"fsdp": 2, "seq": 2, "tensor": 2}, (1, 2, 2, 2)),
    ],
)
def test_minus_one_fills_the_mesh(sizes, shape):
    mesh = sharding.make_mesh(**sizes)
    assert tuple(mesh.shape.values()) == shape
    assert set(mesh.axis_types) == {jax.sharding.AxisType.Auto}


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"tensor": 3}, "3 does not divide the number of devices, 8"),
        ({"data": 2, "fsdp": 2}, "4 is not the number of devices, 8"),
        ({"data": -1, "fsdp": -1}, "except for one -1 at most"),
        ({"data": 0}, "sizes must be 1 or more"),
    ],
)
def test_meshes_that_do_not_fit_are_errors_with_the_numbers(sizes, words):
    with pytest.raises(ValueError, match=words):
        sharding.make_mesh(**sizes)


def test_put_batch_lays_rows_over_both_data_axes():
    mesh = sharding.make_mesh(data=2, fsdp=2, tensor=2)
    rows = sharding.local_rows(mesh, 8)
    batch = {"rgb": np.arange(8 * 3).reshape(8, 3), "label": {"action": np.arange(8)}}
    put = sharding.put_batch(jax.tree.map(lambda x: x[rows], batch), mesh, 8)
    assert put["rgb"].sharding == sharding.batch_sharding(mesh)
    assert put["label"]["action"].addressable_shards[0].data.shape == (2,)
    jax.tree.map(np.testing.assert_array_equal, put, batch)


def test_batches_that_do_not_fit_are_errors_with_the_numbers():
    mesh = sharding.make_mesh(data=4, fsdp=2)
    with pytest.raises(ValueError, match="batch of 12 cannot be split over 8 devices"):
        sharding.local_rows(mesh, 12)
    with pytest.raises(ValueError, match=r"label/action has shape \(4,\).* supplies 8 rows"):
        sharding.put_batch({"label": {"action": np.zeros(4)}}, mesh, 8)


@functools.cache
def vivit_state():
    model = FactorisedEncoder(
        num_classes=10,
        hidden_size=32,
        mlp_dim=64,
        num_layers=2,
        num_heads=4,
        temporal_num_layers=1,
        tubelet_size=(2, 8, 8),
    )
    optimizer = optimizers.adamw(learning_rate=0.1)

    def init():
        params = model.init(jax.random.key(0), rgb=jnp.zeros((1, 4, 16, 16, 3)))["params"]
        trained = trained_part(params, ("output_projection/bias",))
        return State(jnp.zeros(()), params, optimizer.init(trained), trained)

    return jax.eval_shape(init)


RULES = FactorisedEncoder.sharding_rules
BLOCK = "SpatialTransformer/encoderblock_1"


def by_path(tree):
    leaves = jax.tree.leaves_with_path(tree)
    return {jax.tree_util.keystr(p, simple=True, separator="/"): leaf for p, leaf in leaves}


def specs(abstract, mesh, **fields):
    placed = by_path(sharding.state_shardings(abstract, mesh, Placement(**fields)))
    return {path: place.spec for path, place in placed.items()}


def test_rules_place_a_vivit():
    mesh = sharding.make_mesh(data=2, fsdp=2, tensor=2)
    found = specs(vivit_state(), mesh, model_rules=RULES)
    attention = f"params/{BLOCK}/MultiHeadDotProductAttention_0"
    assert found[f"{attention}/query/kernel"] == P("fsdp", "tensor", None)
    assert found[f"{attention}/value/bias"] == P("tensor", None)
    assert found[f"{attention}/out/kernel"] == P("tensor", None, "fsdp")
    assert found[f"{attention}/out/bias"] == P()
    assert found[f"params/{BLOCK}/MlpBlock_0/Dense_0/kernel"] == P("fsdp", "tensor")
    assert found[f"params/{BLOCK}/MlpBlock_0/Dense_1/kernel"] == P("tensor", "fsdp")
    assert found[f"params/{BLOCK}/LayerNorm_0/scale"] == P()
    assert found["step"] == P()


def test_optimizer_state_and_average_lie_like_their_parameters():
    state = vivit_state()
    mesh = sharding.make_mesh(data=2, fsdp=2, tensor=2)
    found = specs(state, mesh, model_rules=RULES, min_bytes=0)
    params = {path: spec for path, spec in found.items() if path.startswith("params/")}
    trained = set(params) - {"params/output_projection/bias"}
    followers = {path: spec for path, spec in found.items() if path not in params}
    for path, spec in params.items():
        name = path.removeprefix("params/")
        same = [s for p, s in followers.items() if p.endswith(f"/{name}")]
        assert len(same) == (3 if path in trained else 0)  # two moments and the average
        assert set(same) <= {spec}


def test_a_big_leaf_without_a_rule_is_split_along_its_largest_dimension():
    params = {
        "big": jax.ShapeDtypeStruct((4, 1024, 257), jnp.float32),
        "small": jax.ShapeDtypeStruct((1024,), jnp.float32),
        "odd": jax.ShapeDtypeStruct((1001, 1001), jnp.float32),
    }
    abstract = State(jax.ShapeDtypeStruct((), jnp.int32), params, optax.EmptyState())
    found = specs(abstract, sharding.make_mesh(fsdp=4))
    assert found["params/big"] == P(None, "fsdp")
    assert found["params/small"] == found["params/odd"] == found["step"] == P()
    found = specs(abstract, sharding.make_mesh(fsdp=4), min_bytes=0)
    assert found["params/small"] == P("fsdp")


def test_a_rule_also_holds_for_stacked_layers():
    params = {"MlpBlock_0": {"Dense_0": {"kernel": jax.ShapeDtypeStruct((3, 8, 16), jnp.float32)}}}
    rules = ((r"Dense_0/kernel", P("fsdp", "tensor")),)
    abstract = {"params": params}
    found = specs(abstract, sharding.make_mesh(fsdp=2, tensor=2), rules=rules)
    assert found["params/MlpBlock_0/Dense_0/kernel"] == P(None, "fsdp", "tensor")


@pytest.mark.parametrize(
    ("rules", "sizes", "words"),
    [
        ((("Dense_7/kernel", P("fsdp")),), {}, "sharding.rules: 'Dense_7/kernel' matches none of"),
        (((r"(kernel", P("fsdp")),), {}, r"'\(kernel' is not a regular expression"),
        ((("kernel", ("fdsp",)),), {}, r"names the axes \['fdsp'\]; axes are"),
        ((("head/kernel", [None, "tensor"]),), {"tensor": 4}, r"head/kernel \[8, 6\].* 4 devices"),
        ((("kernel", [["fsdp", "tensor"]]),), {"fsdp": 2, "tensor": 2}, r"6\].*axis fsdp\+tensor"),
        ((("bias", P("fsdp", None)),), {"fsdp": 2}, r"more dimensions than head/bias \[6\]"),
    ],
)
def test_rules_of_a_config_that_do_not_fit_are_errors(rules, sizes, words):
    head = {"kernel": jnp.zeros((8, 6)), "bias": jnp.zeros(6)}
    mesh, placement = sharding.make_mesh(**sizes), Placement(rules=rules)
    with pytest.raises(ValueError, match=words):
        sharding.state_shardings({"params": {"head": head}}, mesh, placement)


def test_rules_of_a_config_come_before_those_of_the_model_which_may_find_nothing():
    params = {"head": {"kernel": jnp.zeros((8, 8))}, "neck": {"kernel": jnp.zeros((8, 8))}}
    rules = (("head/kernel", (None, "tensor")),)
    model_rules = (("kernel", ("tensor", None)), ("MlpBlock", ("fsdp",)))
    mesh = sharding.make_mesh(tensor=2, fsdp=2)
    found = specs({"params": params}, mesh, rules=rules, model_rules=model_rules)
    assert found["params/head/kernel"] == P(None, "tensor")
    assert found["params/neck/kernel"] == P("tensor", None)


def test_axes_of_one_device_divide_everything():
    params = {"head": {"kernel": jnp.zeros((7, 5))}}
    rules = (("kernel", ("fsdp", "tensor")),)
    found = specs({"params": params}, sharding.make_mesh(data=8), rules=rules)
    assert found["params/head/kernel"] == P("fsdp", "tensor")


def test_a_state_is_born_where_it_belongs():
    state = vivit_state()
    mesh = sharding.make_mesh(data=2, fsdp=2, tensor=2)
    placed = sharding.state_shardings(state, mesh, Placement(model_rules=RULES))
    born = jax.jit(
        lambda: jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), state), out_shardings=placed
    )()
    jax.tree.map(
        lambda x, s: None if x.sharding == s else pytest.fail(f"{x.sharding}"), born, placed
    )
    num_bytes = sum(x.addressable_shards[0].data.nbytes for x in jax.tree.leaves(born))
    laid = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), born)
    assert sharding.bytes_per_device(laid) == num_bytes


def test_constrain_does_nothing_without_a_mesh_and_something_within():
    x = jnp.zeros((8, 5, 4))
    assert sharding.constrain(x, sharding.BATCH) is x
    mesh = sharding.make_mesh(data=2, seq=4)
    with jax.set_mesh(mesh):
        spec = P(("data", "fsdp"), "seq", None)
        out = jax.jit(lambda x: sharding.constrain(x * 2, sharding.BATCH))(x)
        uneven = jax.jit(lambda x: sharding.constrain(x * 2, spec).sum())(x)
    assert out.sharding.is_equivalent_to(NamedSharding(mesh, P("data")), 3)
    assert uneven == 0


def test_constrain_leaves_the_parts_of_shard_map_alone():
    mesh = sharding.make_mesh(data=8)
    double = jax.shard_map(
        lambda x: sharding.constrain(2 * x, sharding.BATCH),
        mesh=mesh,
        in_specs=P("data"),
        out_specs=P("data"),
    )
    np.testing.assert_array_equal(jax.jit(double)(jnp.arange(8)), 2 * np.arange(8))


PROCESS = """
import sys
import jax, numpy as np
from scenic_video import sharding
jax.distributed.initialize(f"localhost:{sys.argv[1]}", num_processes=2, process_id=int(sys.argv[2]))
for sizes in (dict(data=4), dict(data=2, tensor=2), dict(data=1, fsdp=2, tensor=2)):
    for devices in (jax.devices(), jax.devices()[::2] + jax.devices()[1::2]):
        mesh = sharding.make_mesh(**sizes, devices=devices)
        rows = sharding.local_rows(mesh, 8)
        batch = sharding.put_batch({"x": 10 * np.asarray(rows)}, mesh, 8)["x"]
        for shard in batch.addressable_shards:
            np.testing.assert_array_equal(shard.data, 10 * np.arange(8)[shard.index])
        assert len(rows) in (4, 8), rows
print("fed", rows)
"""


def test_every_process_supplies_the_rows_of_its_devices():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, port, str(i)],
            env={**os.environ, **flags},
            stdout=subprocess.PIPE,
        )
        for i in range(2)
    ]
    answers = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert all(answer.startswith(b"fed") for answer in answers)
