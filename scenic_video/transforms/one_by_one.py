"""Makes `jax.vmap` loop over examples instead of vectorising a function."""

import functools
import math
from collections.abc import Callable

import jax
from jax.sharding import PartitionSpec

from scenic_video.sharding import BATCH


def one_by_one(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """`function`, which under `vmap` of all its arguments computes one example after another.

    Of a `lax.switch` only the chosen branch is then computed, not all of them.
    """
    looping = jax.custom_batching.custom_vmap(function)

    @looping.def_vmap
    def loop(axis_size: int, batched: list[bool], *arrays: jax.Array) -> tuple[jax.Array, bool]:
        assert all(batched), "one_by_one needs the axis of examples in every argument"
        return map_examples(function, *arrays), True

    return functools.wraps(function)(looping)


def map_examples(function: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """Applies `function` to one example after another, in parallel on all devices.

    A loop over a sharded axis would gather it on every device. So if a mesh is set
    (`jax.set_mesh`), each device loops over its own examples.
    """

    def loop(*local: jax.Array) -> jax.Array:
        return jax.lax.map(lambda example: function(*example), local)

    mesh = jax.sharding.get_abstract_mesh()
    axes = tuple(axis for axis in BATCH[0] if axis in mesh.auto_axes)
    num_shards = math.prod(mesh.shape[axis] for axis in axes)
    if num_shards == 1 or len(arrays[0]) % num_shards:
        return loop(*arrays)
    spec = PartitionSpec(axes)
    return jax.shard_map(loop, in_specs=spec, out_specs=spec, axis_names=set(axes))(*arrays)
