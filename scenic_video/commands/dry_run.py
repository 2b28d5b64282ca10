"""`--dry-run`: everything that can be said of a run without starting it."""

import json

import jax
from clu import parameter_overview

from scenic_video import flops
from scenic_video.commands.batches import example_batch
from scenic_video.commands.building import build_transform
from scenic_video.commands.experiment import Experiment
from scenic_video.console import Terminal
from scenic_video.data.preprocessing import Preprocessing
from scenic_video.tasks.task import Batch


def show(experiment: Experiment, terminal: Terminal) -> None:
    """Prints the resolved config, the model's table, shapes, steps and rates, if steps of training
    and of evaluation can be traced."""
    params = experiment.trace().params
    print(json.dumps(experiment.config, indent=2, default=str))
    print(parameter_overview.get_parameter_overview(params, include_stats=False))
    terminal.table("Run", ("what", "value"), rows(experiment, params))


def rows(experiment: Experiment, params: dict) -> list[tuple[str, str]]:
    """The rows of the closing table."""
    options, cadence = experiment.input, experiment.cadence
    batch = example_batch(experiment.preprocessing, experiment.dataset.labels)
    peak = max(experiment.rate(step) for step in range(cadence.num_steps))
    return [
        ("parameters", f"{sum(x.size for x in jax.tree.leaves(params)):,}"),
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


def _durations(preprocessing: Preprocessing) -> list[tuple[str, str]]:
    """How long a clip is to the eye, as far as the config says, and to the ear."""
    frames = f"{preprocessing.num_frames}, stride {preprocessing.stride}"
    if preprocessing.seconds is None:
        frames += " of the file's own: their seconds depend on its frame rate"
    else:
        frames += f" at {preprocessing.frame_rate:g} a second: {preprocessing.seconds:.4g} s"
    rows = [("frames of a clip", frames)]
    if (sound := preprocessing.sound) is not None:
        rows.append(("sound of a clip", f"{sound.seconds:g} s around the middle of its frames"))
    return rows


def _cost(experiment: Experiment, batch: Batch) -> list[tuple[str, str]]:
    """GFLOPs of the task's model, if it has one."""
    model = getattr(experiment.task, "model", None)
    if model is None:
        return []
    transform = build_transform(experiment.config, experiment.preprocessing)
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
