"""scenic-video eval: a trained model on a split, with any number of views."""

import argparse
from pathlib import Path
from typing import Any

import jax
import optax
from jax.sharding import Mesh

from scenic_video import sharding, trainer
from scenic_video.commands import distributed
from scenic_video.commands.evaluation import Evaluation, evaluate_split, show
from scenic_video.commands.experiment import (
    build_dataset,
    check_divides,
    example_batch,
    resolved_evaluation,
    split_of,
)
from scenic_video.commands.trained import TrainedModel, aligned_labels, load
from scenic_video.config import build
from scenic_video.console import Terminal
from scenic_video.data.datasets import open_dataset
from scenic_video.data.examples import Dataset
from scenic_video.views import Views

EXAMPLES = """\
examples:
  scenic-video eval --workdir=runs/quickstart --views=4x3
  scenic-video eval --workdir=runs/quickstart --data=videos/test.csv --split=test

Writes WORKDIR/eval/<split>_<views>.json, and the logits of every video beside it as .npz.
"""


def add_parser(subparsers: Any) -> None:
    """Adds the verb `eval`."""
    parser = subparsers.add_parser(
        "eval", help="evaluate a trained model", epilog=EXAMPLES, description=__doc__
    )
    parser.add_argument("--workdir", type=Path, required=True, help="folder of a trained run")
    parser.add_argument("--views", help="clips x crops to average (default: the config's)")
    parser.add_argument("--split", help="split to evaluate (default: the config's)")
    parser.add_argument("--data", help="another dataset than the config's: manifest, folder, tfds")
    parser.add_argument("--batch-size", type=int, help="videos at a time (default: the config's)")
    distributed.add_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    distributed.join(arguments)
    terminal = Terminal(quiet=jax.process_index() != 0)
    model = load(arguments.workdir)
    terminal.line(f"EVAL {arguments.workdir} at step {model.meta['step']}")
    evaluation = evaluate(
        model,
        data=arguments.data,
        split=arguments.split,
        views=arguments.views,
        batch_size=arguments.batch_size,
        terminal=terminal,
    )
    if jax.process_index() == 0:
        prefix = f"{evaluation.dataset}_" if arguments.data else ""
        path = evaluation.write(arguments.workdir / "eval", prefix=prefix)
        show(evaluation, path, terminal)
    return 0


def evaluate(
    model: TrainedModel,
    *,
    data: str | None = None,
    split: str | None = None,
    views: str | None = None,
    batch_size: int | None = None,
    terminal: Terminal | None = None,
) -> Evaluation:
    """Evaluates `model` on a split of the data it was configured with, or of `data`.

    Classes are matched by name, so a dataset that numbers them otherwise counts the same.
    """
    config = model.meta["config"]
    overrides = {"split": split, "views": views, "batch_size": batch_size}
    given = {name: value for name, value in overrides.items() if value is not None}
    terminal = terminal or Terminal(quiet=True)
    dataset = _open(data, model) if data else build_dataset(config["dataset"], terminal)
    if data and split is None and len(dataset.splits) == 1:
        given["split"] = next(iter(dataset.splits))
    options = resolved_evaluation(build({**config["evaluation"], **given}), dataset)
    mesh = _mesh(config["mesh"], terminal)
    check_divides("evaluation.batch_size", options.batch_size, mesh)
    examples = aligned_labels(split_of(dataset, options.split), dataset.labels, model.labels)
    steps = trainer.compile_steps(
        task=model.task,
        optimizer=optax.identity(),
        options=trainer.TrainerOptions(num_steps=1),
        example_batch=example_batch(model.preprocessing, model.labels),
        mesh=mesh,
    )
    state = trainer.state_of(model.variables, steps, step=model.meta["step"])
    with terminal.counting(f"evaluating {options.split} {options.views}") as counting:
        return evaluate_split(
            steps,
            state,
            split=options.split,
            dataset=dataset,
            examples=examples,
            labels=model.labels,
            preprocessing=model.preprocessing,
            options=options,
            views=Views.parse(options.views),
            on_batch=counting,
        )


def _open(data: str, model: TrainedModel) -> Dataset:
    """Data that is multi-label if the model is."""
    return open_dataset(data, **({"multilabel": True} if model.labels.multilabel else {}))


def _mesh(node: dict[str, Any], terminal: Terminal) -> Mesh:
    """The mesh of training, or all devices side by side where there are others than then."""
    try:
        return build(node)
    except ValueError:
        terminal.line(f"The mesh of training does not fit {jax.device_count()} device(s); data -1.")
        return sharding.make_mesh()
