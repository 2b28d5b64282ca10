"""The mesh of devices, and how states and batches are sharded over it."""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import jax
import numpy as np
from annotated_types import MinLen
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from scenic_video.errors import UserError
from scenic_video.field_types import AxisSize, Count
from scenic_video.parameter_paths import check_patterns, path_name

AXES = ("data", "fsdp", "seq", "tensor")
BATCH = PartitionSpec(("data", "fsdp"))
"""The sharding of a batch: its rows over both data axes."""

Axes = str | Sequence[str] | None
Rule = tuple[str, Sequence[Axes] | PartitionSpec]
"""A pattern that is searched in parameter paths, and the axes of the last dimensions."""


@dataclasses.dataclass(frozen=True)
class Placement:
    """The rules by which parameters are split over axes of the mesh.

    A rule such as ("head/kernel$", ("fsdp", "tensor")) splits the last two dimensions of the
    parameters whose path matches its pattern, whatever dimensions come before them (such as layers
    stacked by a scan). The first matching rule applies, `rules` (of the config) before
    `model_rules`. Each of `rules` must match a parameter; `model_rules` need not. A parameter
    without a rule is split over `fsdp` along its largest divisible dimension if it has at least
    `min_bytes`, and otherwise replicated.
    """

    rules: Sequence[Rule] = ()
    model_rules: Sequence[Rule] = ()
    min_bytes: Count = 2**20


WITHOUT_RULES = Placement()


def make_mesh(
    *,
    data: AxisSize = -1,
    fsdp: AxisSize = 1,
    seq: AxisSize = 1,
    tensor: AxisSize = 1,
    devices: Annotated[Sequence[jax.Device], MinLen(1)] | None = None,  # pyright: ignore
) -> Mesh:
    """A mesh of `devices` (all by default) with the axes `AXES`; a size of -1 means all remaining
    devices.

    `data` replicates the model and splits the batch; `fsdp` splits the batch, parameters and
    optimizer state; `tensor` splits heads and hidden units; `seq` splits tokens.
    """
    devices = jax.devices() if devices is None else devices
    sizes = {"data": data, "fsdp": fsdp, "seq": seq, "tensor": tensor}
    wanted = " x ".join(f"{axis} {size}" for axis, size in sizes.items())
    open_axes = [axis for axis, size in sizes.items() if size == -1]
    if len(open_axes) > 1 or any(size < 1 and size != -1 for size in sizes.values()):
        raise UserError(f"Mesh {wanted}: sizes must be 1 or more, except for one -1 at most.")
    product = math.prod(size for size in sizes.values() if size != -1)
    if open_axes and len(devices) % product == 0:
        sizes[open_axes[0]] = len(devices) // product
    elif product != len(devices):
        problem = "does not divide" if open_axes else "is not"
        raise UserError(
            f"Mesh {wanted}: {product} {problem} the number of devices, {len(devices)}. Set sizes "
            "with this product, or -1 for one of them."
        )
    auto = (AxisType.Auto,) * len(AXES)
    return jax.make_mesh(tuple(sizes.values()), AXES, axis_types=auto, devices=devices)


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Rows over the axes data and fsdp."""
    return NamedSharding(mesh, BATCH)


def check_divides(field: str, batch_size: int, mesh: Mesh) -> None:
    """Errors: UserError if the global batch size `field` is not a multiple of the devices."""
    _check_multiple(f"{field}={batch_size}", batch_size, mesh)


def local_rows(mesh: Mesh, batch_size: int) -> list[int]:
    """The rows of the global batch that this process must supply, in ascending order.

    If `seq` or `tensor` spans processes, several of them supply the same rows.
    """
    _check_multiple(f"A batch of {batch_size}", batch_size, mesh)
    indices = batch_sharding(mesh).addressable_devices_indices_map((batch_size,)).values()
    return sorted({row for index in indices if index for row in range(batch_size)[index[0]]})


def _check_multiple(batch: str, batch_size: int, mesh: Mesh) -> None:
    ways = mesh.shape["data"] * mesh.shape["fsdp"]
    if batch_size % ways:
        raise UserError(
            f"{batch} cannot be split over {ways} devices (mesh data={mesh.shape['data']} x "
            f"fsdp={mesh.shape['fsdp']}). Set a multiple of {ways}."
        )


def put_batch(host_batch: Any, mesh: Mesh, batch_size: int) -> Any:
    """Global arrays from a tree of the rows of this process (see `local_rows`)."""
    sharding, num_rows = batch_sharding(mesh), len(local_rows(mesh, batch_size))

    def put(path, rows):
        rows = np.asarray(rows)
        if rows.ndim == 0 or len(rows) != num_rows:
            raise UserError(
                f"{path_name(path)} has shape {rows.shape}, but this process supplies {num_rows} "
                f"rows of a batch of {batch_size}."
            )
        shape = (batch_size, *rows.shape[1:])
        return jax.make_array_from_process_local_data(sharding, rows, shape)

    return jax.tree_util.tree_map_with_path(put, host_batch)


def constrain(x: jax.Array, spec: PartitionSpec) -> jax.Array:
    """Constrains the sharding of `x` on the mesh of `jax.set_mesh`.

    Does nothing without a mesh, or inside `shard_map`, where `x` is the part on one device.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or mesh.manual_axes:
        return x
    return jax.lax.with_sharding_constraint(x, spec)


def state_shardings(abstract_state: Any, mesh: Mesh, placement: Placement = WITHOUT_RULES) -> Any:
    """The sharding of a train state: a tree of `NamedSharding` like `abstract_state`.

    Leaves below "params" are placed by `placement`. Other leaves (momentum, moments, an average)
    are placed like the parameter at the end of their path, if it has the same shape; all others are
    replicated. Errors: UserError for an unknown axis, a rule of the config that matches no
    parameter, or a dimension that is not divisible by the size of an axis.
    """
    leaves = [(path_name(path), leaf) for path, leaf in jax.tree.leaves_with_path(abstract_state)]
    params = {
        name.removeprefix("params/"): leaf for name, leaf in leaves if name.startswith("params/")
    }
    _check_rules(placement, list(params))
    specs = {name: _parameter_spec(name, leaf, mesh, placement) for name, leaf in params.items()}

    def place(path, leaf):
        owner = _owner(path_name(path), leaf, params)
        return NamedSharding(mesh, specs[owner] if owner else PartitionSpec())

    return jax.tree_util.tree_map_with_path(place, abstract_state)


def bytes_per_device(abstract: Any) -> int:
    """The memory on each device of a tree of `ShapeDtypeStruct` with shardings, in bytes."""
    return sum(
        math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
        for leaf in jax.tree.leaves(abstract)
    )


def _owner(name: str, leaf: Any, params: Mapping[str, Any]) -> str | None:
    """The name of the parameter that a leaf is, or belongs to."""
    parts = name.split("/")
    for start in range(1, len(parts)):
        candidate = "/".join(parts[start:])
        if candidate in params and params[candidate].shape == leaf.shape:
            return candidate
    return None


def _check_rules(placement: Placement, paths: Sequence[str]) -> None:
    for pattern, spec in (*placement.rules, *placement.model_rules):
        if unknown := [axis for axis in _axes(spec) if axis not in AXES]:
            raise UserError(f"Sharding rule {pattern!r} names the axes {unknown}; axes are {AXES}.")
    check_patterns([pattern for pattern, _ in placement.rules], paths, "sharding.rules")


def _axes(spec: Sequence[Axes] | PartitionSpec) -> list[str]:
    entries = [(entry,) if isinstance(entry, str) else entry or () for entry in spec]
    return [axis for entry in entries for axis in entry]


def _parameter_spec(name: str, leaf: Any, mesh: Mesh, placement: Placement) -> PartitionSpec:
    for pattern, spec in (*placement.rules, *placement.model_rules):
        if re.search(pattern, name):
            return _align(name, leaf, mesh, pattern, spec)
    size = mesh.shape["fsdp"]
    divisible = [d for d, length in enumerate(leaf.shape) if length % size == 0]
    num_bytes = math.prod(leaf.shape) * np.dtype(leaf.dtype).itemsize
    if size == 1 or num_bytes < placement.min_bytes or not divisible:
        return PartitionSpec()
    largest = max(divisible, key=lambda d: leaf.shape[d])
    return PartitionSpec(*[None] * largest, "fsdp")


def _align(
    name: str, leaf: Any, mesh: Mesh, pattern: str, spec: Sequence[Axes] | PartitionSpec
) -> PartitionSpec:
    """`spec` for the last dimensions of a leaf."""
    entries = [tuple(entry) if isinstance(entry, list) else entry for entry in spec]
    if len(entries) > len(leaf.shape):
        raise UserError(
            f"Sharding rule {pattern!r} -> {entries} has more dimensions than {name} "
            f"{list(leaf.shape)}."
        )
    aligned = [None] * (len(leaf.shape) - len(entries)) + entries
    for dimension, entry in enumerate(aligned):
        axes = _axes([entry])
        ways = math.prod(mesh.shape[axis] for axis in axes)
        if leaf.shape[dimension] % ways:
            raise UserError(
                f"{name} {list(leaf.shape)}: dimension {dimension} cannot be split over the {ways} "
                f"devices of mesh axis {'+'.join(axes)} by the sharding rule {pattern!r} -> "
                f"{entries}. Change the mesh, or add a rule for it to sharding.rules."
            )
    return PartitionSpec(*aligned)
