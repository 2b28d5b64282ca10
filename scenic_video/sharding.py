"""The mesh of devices, and where on it a state and a batch lie."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import jax
import numpy as np
from annotated_types import MinLen
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from scenic_video.errors import UserError
from scenic_video.field_types import AxisSize

AXES = ("data", "fsdp", "seq", "tensor")
BATCH = PartitionSpec(("data", "fsdp"))
"""How a batch lies: its rows over both data axes, the rest whole."""

Rules = Sequence[tuple[str, PartitionSpec]]

_ATTENTION = r"MultiHeadDotProductAttention[^/]*"
_MLP = r"MlpBlock[^/]*"
RULES: Rules = (
    (rf"{_ATTENTION}/(query|key|value)/kernel", PartitionSpec("fsdp", "tensor", None)),
    (rf"{_ATTENTION}/(query|key|value)/bias", PartitionSpec("tensor", None)),
    (rf"{_ATTENTION}/out/kernel", PartitionSpec("tensor", None, "fsdp")),
    (rf"{_MLP}/Dense_0/kernel", PartitionSpec("fsdp", "tensor")),
    (rf"{_MLP}/Dense_0/bias", PartitionSpec("tensor")),
    (rf"{_MLP}/Dense_1/kernel", PartitionSpec("tensor", "fsdp")),
)
"""Transformer blocks: heads and hidden units over `tensor` (Shoeybi et al., Megatron-LM, 2019,
section 3), widths over `fsdp`. A spec speaks of the last dimensions, so the rules also hold for
layers stacked by a scan. What no rule names: see `state_shardings`."""


def make_mesh(
    *,
    data: AxisSize = -1,
    fsdp: AxisSize = 1,
    seq: AxisSize = 1,
    tensor: AxisSize = 1,
    devices: Annotated[Sequence[jax.Device], MinLen(1)] | None = None,  # pyright: ignore
) -> Mesh:
    """A mesh of `devices` (all by default) with the axes `AXES`; the axis of size -1 fills it.

    `data` copies the model and splits the batch; `fsdp` splits the batch, parameters and optimizer
    state; `tensor` splits heads and hidden units; `seq` splits tokens.
    """
    devices = jax.devices() if devices is None else devices
    sizes = {"data": data, "fsdp": fsdp, "seq": seq, "tensor": tensor}
    wanted = " x ".join(f"{axis} {size}" for axis, size in sizes.items())
    open_axes = [axis for axis, size in sizes.items() if size == -1]
    if len(open_axes) > 1 or any(size < 1 and size != -1 for size in sizes.values()):
        raise UserError(f"Mesh {wanted}: sizes are 1 or more, and at most one is -1, to fill.")
    product = math.prod(size for size in sizes.values() if size != -1)
    if open_axes and len(devices) % product == 0:
        sizes[open_axes[0]] = len(devices) // product
    elif product != len(devices):
        verb = "does not divide" if open_axes else "is not"
        raise UserError(
            f"Mesh {wanted}: {product} {verb} the number of devices, {len(devices)}. Set sizes "
            "whose product it is, or -1 for one of them."
        )
    auto = (AxisType.Auto,) * len(AXES)
    return jax.make_mesh(tuple(sizes.values()), AXES, axis_types=auto, devices=devices)


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Rows over the axes data and fsdp."""
    return NamedSharding(mesh, BATCH)


def local_rows(mesh: Mesh, batch_size: int) -> list[int]:
    """The rows of the global batch that this process must feed, in ascending order.

    Where `seq` or `tensor` spans processes, several of them feed the same rows.
    """
    ways = mesh.shape["data"] * mesh.shape["fsdp"]
    if batch_size % ways:
        raise UserError(
            f"A batch of {batch_size} does not divide over {ways} devices (data="
            f"{mesh.shape['data']} x fsdp={mesh.shape['fsdp']}). Take a multiple of {ways}."
        )
    indices = batch_sharding(mesh).addressable_devices_indices_map((batch_size,)).values()
    return sorted({row for index in indices if index for row in range(batch_size)[index[0]]})


def put_batch(host_batch: Any, mesh: Mesh, batch_size: int) -> Any:
    """Makes global arrays of a tree of this process's rows (see `local_rows`)."""
    sharding, num_rows = batch_sharding(mesh), len(local_rows(mesh, batch_size))

    def put(path, rows):
        rows = np.asarray(rows)
        if rows.ndim == 0 or len(rows) != num_rows:
            raise UserError(
                f"{_name(path)} has shape {rows.shape}, but this process feeds {num_rows} rows of "
                f"a batch of {batch_size}."
            )
        shape = (batch_size, *rows.shape[1:])
        return jax.make_array_from_process_local_data(sharding, rows, shape)

    return jax.tree_util.tree_map_with_path(put, host_batch)


def constrain(x: jax.Array, spec: PartitionSpec) -> jax.Array:
    """Tells the compiler how `x` lies on the mesh of `jax.set_mesh`; without one, does nothing.

    Nor does it inside `shard_map`, where `x` is the part of one device.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or mesh.manual_axes:
        return x
    return jax.lax.with_sharding_constraint(x, spec)


def state_shardings(
    abstract_state: Any, mesh: Mesh, rules: Rules = RULES, *, min_bytes: int = 2**20
) -> Any:
    """Where every leaf of a train state lies: a tree of `NamedSharding` like `abstract_state`.

    Leaves below "params" follow the first rule whose pattern is found in their path. Those that
    none names, if they have `min_bytes` or more, are split over `fsdp` along their largest
    dimension that divides, and else copied. A leaf elsewhere (momentum, moments, an average) lies
    like the parameter with which its path ends, if they have one shape; all else is copied.

    Errors: a rule that finds no parameter, or a dimension that an axis does not divide. Both are
    passed over where the axes concerned have size 1.
    """
    leaves = [(_name(path), leaf) for path, leaf in jax.tree.leaves_with_path(abstract_state)]
    params = {
        name.removeprefix("params/"): leaf for name, leaf in leaves if name.startswith("params/")
    }
    _check_alive(rules, params, mesh)
    specs = {
        name: _parameter_spec(name, leaf, mesh, rules, min_bytes) for name, leaf in params.items()
    }

    def place(path, leaf):
        owner = _owner(_name(path), leaf, params)
        return NamedSharding(mesh, specs[owner] if owner else PartitionSpec())

    return jax.tree_util.tree_map_with_path(place, abstract_state)


def sharding_table(abstract_state: Any, shardings: Any) -> str:
    """One line a leaf: path, shape, spec, bytes on each device; and their sum."""
    lines, total = [("path", "shape", "spec", "bytes per device")], 0
    placed = jax.tree.leaves(shardings)
    for (path, leaf), sharding in zip(
        jax.tree.leaves_with_path(abstract_state), placed, strict=True
    ):
        num_bytes = math.prod(sharding.shard_shape(leaf.shape)) * np.dtype(leaf.dtype).itemsize
        total += num_bytes
        spec = ", ".join(str(axis) for axis in sharding.spec) or "copied"
        lines.append((_name(path), str(list(leaf.shape)), spec, f"{num_bytes:,}"))
    lines.append(("total", "", "", f"{total:,}"))
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _name(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _owner(name: str, leaf: Any, params: Mapping[str, Any]) -> str | None:
    """The parameter that the leaf is, or belongs to."""
    parts = name.split("/")
    for start in range(1, len(parts)):
        candidate = "/".join(parts[start:])
        if candidate in params and params[candidate].shape == leaf.shape:
            return candidate
    return None


def _check_alive(rules: Rules, params: Mapping[str, Any], mesh: Mesh) -> None:
    for pattern, spec in rules:
        unknown = [axis for axis in _axes(spec) if axis not in mesh.shape]
        if unknown:
            raise UserError(f"Sharding rule {pattern!r} names {unknown}; axes are {AXES}.")
        matters = any(mesh.shape[axis] > 1 for axis in _axes(spec))
        if matters and not any(re.search(pattern, name) for name in params):
            raise UserError(
                f"Sharding rule {pattern!r} -> {spec} finds none of the {len(params)} parameters, "
                f"such as {', '.join(list(params)[:3])}."
            )


def _axes(spec: PartitionSpec) -> list[str]:
    entries = [(entry,) if isinstance(entry, str) else entry or () for entry in spec]
    return [axis for entry in entries for axis in entry]


def _parameter_spec(
    name: str, leaf: Any, mesh: Mesh, rules: Rules, min_bytes: int
) -> PartitionSpec:
    for pattern, spec in rules:
        if re.search(pattern, name):
            return _align(name, leaf, mesh, pattern, spec)
    size = mesh.shape["fsdp"]
    divisible = [d for d, length in enumerate(leaf.shape) if length % size == 0]
    num_bytes = math.prod(leaf.shape) * np.dtype(leaf.dtype).itemsize
    if size == 1 or num_bytes < min_bytes or not divisible:
        return PartitionSpec()
    largest = max(divisible, key=lambda d: leaf.shape[d])
    return PartitionSpec(*[None] * largest, "fsdp")


def _align(name: str, leaf: Any, mesh: Mesh, pattern: str, spec: PartitionSpec) -> PartitionSpec:
    """`spec` for the last dimensions of a leaf."""
    if len(spec) > len(leaf.shape):
        raise UserError(
            f"Sharding rule {pattern!r} -> {spec} has more dimensions than {name} "
            f"{list(leaf.shape)}."
        )
    spec = PartitionSpec(*[None] * (len(leaf.shape) - len(spec)), *spec)
    for dimension, entry in enumerate(spec):
        axes = _axes(PartitionSpec(entry))
        ways = math.prod(mesh.shape[axis] for axis in axes)
        if leaf.shape[dimension] % ways:
            raise UserError(
                f"{name} {list(leaf.shape)}: dimension {dimension} does not divide over the "
                f"{ways} devices of mesh axis {'+'.join(axes)}, as rule {pattern!r} -> {spec} asks."
            )
    return spec
