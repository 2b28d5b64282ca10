"""The shapes of batches, and how they lie on devices."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from scenic_video import sharding
from scenic_video.config import ConfigError
from scenic_video.data.examples import LabelSpace
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.input.rows import no_labels
from scenic_video.tasks.task import Batch


def example_batch(preprocessing: Preprocessing, labels: LabelSpace) -> Batch:
    """A batch of one black and silent clip, for its shapes."""
    label = {head: array[None] for head, array in no_labels(labels).items()}
    inputs = preprocessing.blank_inputs(1)
    return {"inputs": inputs, "label": label, "mask": np.ones(1, np.float32)}


def shapes(batch: Any, *leading: int) -> Any:
    """The shapes of a batch of one, with these axes in place of the first."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((*leading, *x.shape[1:]), x.dtype), batch)


def put_on(mesh: Mesh, batch_size: int) -> Callable[[Batch], Batch]:
    """Lays host batches over the devices of `mesh`."""
    return lambda batch: sharding.put_batch(batch, mesh, batch_size)


def check_divides(name: str, batch_size: int, mesh: Mesh) -> None:
    ways = mesh.shape["data"] * mesh.shape["fsdp"]
    if batch_size % ways:
        raise ConfigError(
            f"{name}={batch_size} does not divide over {ways} devices (mesh data="
            f"{mesh.shape['data']} x fsdp={mesh.shape['fsdp']}). Take a multiple of {ways}."
        )
