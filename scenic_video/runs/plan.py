"""What is known of a run before it starts: sizes, costs, steps, rates, and what is missing."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from clu import parameter_overview

from scenic_video.data.examples import Dataset
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.modalities.inputs import InputTransform
from scenic_video.optimizers.freezing import trained_part
from scenic_video.runs import best_metric, flops
from scenic_video.runs.absent_data import absent, outline_where_absent
from scenic_video.runs.device_batches import example_batch
from scenic_video.runs.experiment import Experiment, build_experiment, check_config
from scenic_video.runs.initial_weights import absent_sources
from scenic_video.runs.reporter import SILENT, Reporter
from scenic_video.sharding import bytes_per_device
from scenic_video.tasks.task import Batch
from scenic_video.trainer import TrainState

GRID = 100
"""How many rates are looked at at once."""


class Plan(NamedTuple):
    """A run that was built and traced, but not started.

    `config` is the resolved one, `parameters` a table of the model's, `rows` are sizes, costs,
    shapes, steps and rates by name, and `missing` says what the run would read and is not there.
    """

    config: dict[str, Any]
    parameters: str
    rows: list[tuple[str, str]]
    missing: list[str]


def plan(config: Mapping[str, Any], reporter: Reporter = SILENT) -> Plan:
    """Builds the run of a completed config and traces a step of training and one of evaluation.

    Nothing is computed. Where the data is not there, its published classes and sizes stand in.
    Errors: UserError for all that the run itself would refuse at its start.
    """
    check_config(config)
    outline = outline_where_absent(config["dataset"])
    experiment = build_experiment(config, reporter, outline=outline)
    state = experiment.trace()
    best_metric.check(experiment)
    columns = "sharding" if experiment.mesh.size > 1 else False
    return Plan(
        config=experiment.config,
        parameters=parameter_overview.get_parameter_overview(state.params, include_stats=columns),
        rows=rows(experiment, state),
        missing=missing(config, outline),
    )


def missing(config: Mapping[str, Any], outline: Dataset | None) -> list[str]:
    """A sentence on everything that the run would read and that is not there."""
    words = []
    if outline is not None:
        words = [absent(config["dataset"]) or "The clips are made when the run starts."]
        words[0] += f" Classes and sizes are those of {outline.name} in outline."
        if config["evaluators"]:
            words.append(f"Not tried without data: {', '.join(config['evaluators'])}.")
    return words + absent_sources(config["init"])


def rows(experiment: Experiment, state: TrainState) -> list[tuple[str, str]]:
    """Sizes, costs, shapes, steps and rates, by name."""
    options, cadence = experiment.input, experiment.cadence
    batch = example_batch(experiment.preprocessing, experiment.dataset.labels)
    peak = peak_rate(experiment.rate, cadence.num_steps)
    return [
        *_sizes(experiment, state),
        *_cost(experiment, batch),
        *_durations(experiment.preprocessing),
        *(
            (f"input {name}", f"{options.batch_size} x {list(x.shape[1:])} {x.dtype}")
            for name, x in batch["inputs"].items()
        ),
        *(
            (f"head {head}", f"{count} classes")
            for head, count in experiment.dataset.labels.num_classes.items()
        ),
        ("training clips", f"{len(experiment.train_split):,}"),
        ("steps", f"{cadence.num_steps:,} ({experiment.steps_per_epoch:,.1f} an epoch)"),
        ("epochs", f"{cadence.num_steps / experiment.steps_per_epoch:.2f}"),
        ("learning rate", f"peak {peak:g} at a global batch of {options.batch_size}"),
        ("mesh", " x ".join(f"{axis} {n}" for axis, n in experiment.mesh.shape.items())),
    ]


def _sizes(experiment: Experiment, state: TrainState) -> list[tuple[str, str]]:
    """How many parameters there are, how many are trained, and what the state takes."""
    params, freeze = state.params, experiment.options.freeze
    held = {"parameters": params, "optimizer": state.opt_state, "average": state.ema_params}
    sizes = {name: bytes_per_device(tree) / 2**20 for name, tree in held.items()}
    parts = ", ".join(f"{name} {size:,.1f}" for name, size in sizes.items() if size)
    return [
        ("parameters", f"{_count(params):,}"),
        *([("of these trained", f"{_count(trained_part(params, freeze)):,}")] if freeze else []),
        ("state on each device", f"{sum(sizes.values()):,.1f} MiB: {parts}"),
    ]


def _count(params: Any) -> int:
    return sum(x.size for x in jax.tree.leaves(params))


def peak_rate(rate: Callable[[int], float], num_steps: int) -> float:
    """The highest rate of a run, found on ever finer grids around it: that of one that rises and
    falls once, as by warm-up and decay."""
    first, last, highest = 0, num_steps - 1, -np.inf
    while True:
        steps = np.unique(np.linspace(first, last, GRID).astype(np.int64)).tolist()
        rates = [rate(step) for step in steps]
        best = int(np.argmax(rates))
        highest = max(highest, rates[best])
        if last - first < GRID:
            return highest
        first, last = steps[max(best - 1, 0)], steps[min(best + 1, len(steps) - 1)]


def _durations(preprocessing: Preprocessing) -> list[tuple[str, str]]:
    """The durations of the frames, as far as the config states them, and of the audio of a clip."""
    frames = f"{preprocessing.num_frames}, stride {preprocessing.stride}"
    if preprocessing.seconds is None:
        frames += " of the file's own: their seconds depend on its frame rate"
    else:
        frames += f" at {preprocessing.frame_rate:g} a second: {preprocessing.seconds:.4g} s"
    rows = [("frames of a clip", frames)]
    summaries = {name: x.summary() for name, x in preprocessing.modalities.items()}
    return rows + [(f"{name} of a clip", text) for name, text in summaries.items() if text]


def _cost(experiment: Experiment, batch: Batch) -> list[tuple[str, str]]:
    """GFLOPs of the task's model, if it has one."""
    model = getattr(experiment.task, "model", None)
    if model is None:
        return []
    transform = InputTransform(experiment.preprocessing.modalities)
    seen = jax.eval_shape(
        lambda x: transform(x, rng=jax.random.key(0), train=False), batch["inputs"]
    )
    shapes = {name: x.shape for name, x in seen.items() if name != "presence"}
    gflops, views = flops.forward_gflops(model, **shapes), experiment.views
    total = gflops * views.num_clips * views.num_crops
    return [
        ("GFLOPs a view (the papers' convention)", f"{gflops:,.2f}"),
        ("views at the end", f"{views} = {total:,.1f} GFLOPs"),
    ]
