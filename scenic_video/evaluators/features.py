"""Computes the features of examples for a state."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Float32, Int

from scenic_video.errors import UserError
from scenic_video.evaluators.evaluator import OnBatch, Run, ignore_batch
from scenic_video.evaluators.linear_probe import Labelled
from scenic_video.evaluators.reading import Reading
from scenic_video.tasks.presence import shown_modalities
from scenic_video.tasks.task import Batch, FeatureExtractor
from scenic_video.trainer import TrainState

Extractor = Callable[[TrainState, Batch], dict[str, Any]]
"""(state, batch) -> {"features": [B, D], "label": {head: [B]}, "mask": [B]}, on every host."""


class Features(NamedTuple):
    """Features, labels and positions of the examples that were not left out."""

    values: Float32[np.ndarray, "n d"]
    labels: Mapping[str, np.ndarray]
    positions: Int[np.ndarray, " n"]

    def labelled(self, head: str) -> Labelled:
        return Labelled(self.values, self.labels[head])


def compile_features(run: Run) -> Extractor:
    """Features with the evaluated parameters, compiled for the mesh of the run.

    Errors: UserError for a task without `features(variables, batch)`.
    """
    task = run.task
    if not isinstance(task, FeatureExtractor):
        raise UserError(
            f"{type(task).__name__} has no features to probe; a task needs a method "
            "features(variables, batch) -> [B, D] for that."
        )

    modalities = run.preprocessing.modalities
    shown = [modalities[name] for name in shown_modalities(task, modalities)]

    def features(state: TrainState, batch: Batch) -> dict[str, Any]:
        variables = {"params": state.eval_params, **state.model_state}
        values = task.features(variables, batch).astype(jnp.float32)
        mask = batch["mask"]
        if all(modality.can_be_absent for modality in shown):
            present = [modality.present(batch["inputs"]).max(axis=1) for modality in shown]
            mask = mask * jnp.stack(present).max(axis=0)
        return {"features": values, "label": batch["label"], "mask": mask}

    compiled = jax.jit(features, out_shardings=NamedSharding(run.mesh, PartitionSpec()))

    def call(state: TrainState, batch: Batch) -> dict[str, Any]:
        with jax.set_mesh(run.mesh):
            return compiled(state, batch)

    return call


def extract(
    extractor: Extractor, state: TrainState, reading: Reading, *, on_batch: OnBatch = ignore_batch
) -> Features:
    """The features of every example. Unreadable videos, and videos without audio if it is the
    only input, are left out."""
    outputs: list[dict[str, Any]] = []
    with reading.open() as batches:
        for batch in reading.on_devices(batches):
            outputs.append(jax.device_get(extractor(state, batch)))
            on_batch(len(outputs), len(batches))
    whole = jax.tree.map(lambda *parts: np.concatenate(parts), *outputs)
    positions = np.flatnonzero(whole["mask"])
    kept = {head: ids[positions] for head, ids in whole["label"].items()}
    return Features(whole["features"][positions], kept, positions)
