"""What is known of a run before it starts: sizes, costs, steps, rates and missing files."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from clu import parameter_overview

from scenic_video.data.examples import Dataset
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.modalities.inputs import InputTransform
from scenic_video.modalities.names import DEFAULT
from scenic_video.optimizers.freezing import trained_part
from scenic_video.runs import best_metric, flops
from scenic_video.runs.absent_data import absent, outline_where_absent
from scenic_video.runs.device_batches import example_batch
from scenic_video.runs.experiment import Experiment, build_experiment, check_config
from scenic_video.runs.initialization.absent_sources import absent_sources
from scenic_video.runs.reporter import SILENT, Reporter
from scenic_video.sharding import bytes_per_device
from scenic_video.tasks.task import Batch
from scenic_video.trainer import TrainState

GRID = 100
"""The number of learning rates that are compared at once."""


class Plan(NamedTuple):
    """A run that was built and traced, but not started.

    `config` is the resolved one, `parameters` a table of the model's, `rows` are sizes, costs,
    shapes, steps and rates by name, and `missing` are sentences about missing files.
    """

    config: dict[str, Any]
    parameters: str
    rows: list[tuple[str, str]]
    missing: list[str]


def plan(config: Mapping[str, Any], reporter: Reporter = SILENT) -> Plan:
    """Builds the run of a completed config and traces its training and evaluation steps.

    Nothing is computed. If the data is missing, its published classes and sizes are used. Errors:
    UserError for everything that the run itself would refuse at its start.
    """
    check_config(config)
    outline = outline_where_absent(config["dataset"])
    experiment = build_experiment(config, reporter, outline=outline)
    state = experiment.trace()
    best_metric.check(experiment)
    columns = "sharding" if experiment.mesh.size > 1 else False
    return Plan(
        config=in_order(experiment.config),
        parameters=parameter_overview.get_parameter_overview(state.params, include_stats=columns),
        rows=rows(experiment, state),
        missing=missing(config, outline),
    )


def in_order(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` with targets first, and `augmentation` in the order in which it is applied."""
    modalities = config["preprocessing"].get("modalities", DEFAULT)
    augmentation = _starting_with(("geometry", *modalities, "mixing"), config["augmentation"])
    return _targets_first({**config, "augmentation": augmentation})


def _targets_first(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_targets_first(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {k: _targets_first(x) for k, x in _starting_with(("target",), value).items()}


def _starting_with(names: Iterable[str], node: Mapping[str, Any]) -> dict[str, Any]:
    """`node` with the fields of these names first, in this order."""
    return {name: node[name] for name in [*(x for x in names if x in node), *node]}


def missing(config: Mapping[str, Any], outline: Dataset | None) -> list[str]:
    """A sentence about everything that the run would read and that does not exist."""
    sentences = []
    if outline is not None:
        sentences = [absent(config["dataset"]) or "The clips are generated when the run starts."]
        sentences[0] += f" Classes and sizes are the known ones of {outline.name}."
        if config["evaluators"]:
            sentences.append(f"Not checked without data: {', '.join(config['evaluators'])}.")
    return sentences + absent_sources(config["init"])


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
        ("steps", f"{cadence.num_steps:,} ({experiment.steps_per_epoch:,.1f} per epoch)"),
        ("epochs", f"{cadence.num_steps / experiment.steps_per_epoch:.2f}"),
        ("learning rate", f"peak {peak:g} at a global batch of {options.batch_size}"),
        ("mesh", " x ".join(f"{axis} {n}" for axis, n in experiment.mesh.shape.items())),
    ]


def _sizes(experiment: Experiment, state: TrainState) -> list[tuple[str, str]]:
    """The number of parameters, how many are trained, and the memory of the state."""
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
    """The highest learning rate of a run, found on increasingly fine grids; correct for schedules
    that rise and fall once, such as warm-up and decay."""
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
    """The durations of frames, as far as the config determines them, and of other modalities."""
    frames = f"{preprocessing.num_frames}, stride {preprocessing.stride}"
    if preprocessing.seconds is None:
        frames += " at the frame rate of the file, which determines the seconds"
    else:
        frames += f" at {preprocessing.frame_rate:g} per second: {preprocessing.seconds:.4g} s"
    rows = [("frames of a clip", frames)]
    summaries = {name: x.summary() for name, x in preprocessing.modalities.items()}
    return rows + [(f"{name} of a clip", text) for name, text in summaries.items() if text]


def _cost(experiment: Experiment, batch: Batch) -> list[tuple[str, str]]:
    """GFLOPs of the task's model, if it has one."""
    model = getattr(experiment.task, "model", None)
    if model is None:
        return []
    transform = InputTransform(experiment.preprocessing.modalities)
    inputs = jax.eval_shape(
        lambda x: transform(x, rng=jax.random.key(0), train=False), batch["inputs"]
    )
    shapes = {name: x.shape for name, x in inputs.items() if name != "presence"}
    gflops, views = flops.forward_gflops(model, **shapes), experiment.views
    total = gflops * views.num_clips * views.num_crops
    return [
        ("GFLOPs per view (the papers' convention)", f"{gflops:,.2f}"),
        ("views at the end", f"{views} = {total:,.1f} GFLOPs"),
    ]
