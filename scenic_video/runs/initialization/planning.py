"""What a start from other weights would do, without random weights, a workdir or training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scenic_video.runs.absent_data import outline_where_absent
from scenic_video.runs.device_batches import example_batch
from scenic_video.runs.experiment import build_experiment, check_config
from scenic_video.runs.initialization.weights import InitialWeights, initial_weights
from scenic_video.runs.reporter import SILENT, Reporter


def plan_start(
    config: Mapping[str, Any], sources: Sequence[str] = (), reporter: Reporter = SILENT
) -> InitialWeights:
    """The start of a completed config from `sources`, checkpoints or runs, by default its own.

    In place of random values there are zeros, which take no memory. If the data is missing, its
    published classes are used. Errors: UserError for everything that the run would refuse.
    """
    config = _starting_from(sources, config) if sources else config
    check_config(config)
    outline = outline_where_absent(config["dataset"])
    experiment = build_experiment(config, reporter, outline=outline)
    batch = example_batch(experiment.preprocessing, experiment.dataset.labels)
    shapes = jax.eval_shape(experiment.task.init, jax.random.key(0), batch)["params"]
    zeros = jax.tree.map(lambda x: np.broadcast_to(np.zeros((), x.dtype), x.shape), shapes)
    return initial_weights(experiment, zeros)


def _starting_from(sources: Sequence[str], config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` with these sources in `init`: as runs if all are, else as files."""
    names = sources[0] if len(sources) == 1 else list(sources)
    are_runs = all((Path(name) / "checkpoints").is_dir() for name in sources)
    places = {"workdir": names, "path": ""} if are_runs else {"workdir": "", "path": names}
    return {**config, "init": {**config["init"], **places}}
