"""Whether the weights of a run are still those that it started from."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from flax.traverse_util import flatten_dict
from jax.sharding import Mesh

from scenic_video import trainer
from scenic_video.optimizers.freezing import trained_part
from scenic_video.runs.device_batches import example_batch
from scenic_video.runs.diagnosis.finding import Finding
from scenic_video.runs.evaluation.trained_model import TrainedModel
from scenic_video.runs.initialization.state import ORIGINS
from scenic_video.weights.initialize import norm_of

CHECK = "trained weights"


def initial_values(model: TrainedModel, mesh: Mesh, workdir: Path) -> Finding:
    """Compares the trained weights with the first ones, part by part: with the random ones of the
    run's seed, and with those that were loaded by their norms in the report of the load."""
    config = model.meta["config"]
    steps = trainer.compile_steps(
        task=model.task,
        optimizer=optax.identity(),
        options=trainer.TrainerOptions(num_steps=1),
        example_batch=example_batch(model.preprocessing, model.labels),
        mesh=mesh,
        seed=config["seed"],
    )
    first, now = _flat(jax.device_get(steps.init().params)), _flat(model.variables["params"])
    trained = _flat(trained_part(model.variables["params"], config["trainer"].get("freeze") or ()))
    loaded = _norms_of_loaded(workdir)
    parts: dict[str, list[str]] = {}
    for path in trained:
        parts.setdefault(path.partition("/")[0], []).append(path)
    still = []
    for part, paths in parts.items():
        varied = [x for x in paths if x in loaded or (first[x] != first[x].flat[:1]).any()]
        # Constant ones, such as biases of 0, count only where a part has no others.
        if all(_is_equal(now[x], first[x], loaded.get(x)) for x in varied or paths):
            still.append(part)
    words = f"after {model.meta['step']} steps, "
    if not still:
        return Finding(CHECK, f"{words}all {len(parts)} parts have changed from their first values")
    return Finding(
        CHECK,
        f"{words}{len(still)} of {len(parts)} parts have their first values: {', '.join(still)}",
        "Look at the learning rate (0 in its schedule or for these parts?), at "
        "train/gradient_norm in metrics.jsonl, and whether the loss depends on these parts.",
    )


def _norms_of_loaded(workdir: Path) -> dict[str, float]:
    """Path -> norm of the parameters that were loaded at the start."""
    path = (workdir / ORIGINS).with_suffix(".json")
    if not path.is_file():
        return {}
    rows = json.loads(path.read_text())["parameters"]
    return {row["path"]: row["norm"] for row in rows if row["source"] is not None}


def _is_equal(now: np.ndarray, first: np.ndarray, loaded: float | None) -> bool:
    if loaded is None:
        return np.array_equal(now, first)
    return norm_of(now) == loaded


def _flat(params: Any) -> dict[str, np.ndarray]:
    leaves: Iterable[tuple[str, Any]] = flatten_dict(dict(params), sep="/").items()  # pyright: ignore[reportAssignmentType]
    return {path: np.asarray(leaf) for path, leaf in leaves}
