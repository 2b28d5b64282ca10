"""What a step costs with learned tokens and without: the two runs of one config, in turns.

    python benchmarks/token_learner.py
    python benchmarks/token_learner.py --set=preprocessing.num_frames=32 --set=model.num_layers=8

Medians over `--rounds` rounds, in each of which every model takes a step, so that loads of other
programs shift them all alike: compare ratios. Batches are noise of the config's shapes.
"""

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from scenic_video import trainer
from scenic_video.commands.configs import load_config
from scenic_video.config import build
from scenic_video.data.examples import LabelSpace
from scenic_video.runs.device_batches import example_batch
from scenic_video.runs.parts import build_task
from scenic_video.tasks.task import Batch

LABELS = LabelSpace({"action": tuple(map(str, range(10)))})


def main() -> None:
    options = _options()
    runs = {name: Run(name, options) for name in options.variants}
    times = {name: {"train": [], "evaluate": []} for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            for kind, spent in run.step().items():
                times[name][kind].append(1000 * spent)
    medians = {
        name: {kind: statistics.median(values) for kind, values in kinds.items()}
        for name, kinds in times.items()
    }
    parameters = {name: run.num_parameters for name, run in runs.items()}
    Console().print(table(medians, parameters, batch_size=options.batch_size))


class Run:
    """A compiled variant of the config, its state, and a batch of noise."""

    def __init__(self, variant: str, options: argparse.Namespace):
        changes = [f"--config.{change}" for change in options.set]
        config = load_config([f"--config={options.config}:{variant}", *changes]).to_dict()
        preprocessing = build(config["preprocessing"])
        rate = build(config["learning_rate"], num_steps=1000, steps_per_epoch=30)
        example = example_batch(preprocessing, LABELS)
        task, mesh = build_task(config, LABELS, preprocessing), build(config["mesh"])
        self._steps = trainer.compile_steps(
            task=task,
            optimizer=build(config["optimizer"], learning_rate=rate),
            options=build(config["trainer"]),
            example_batch=example,
            mesh=mesh,
        )
        self._evaluate = trainer.compile_evaluation(task, mesh)
        self._batch = noise(example, options.batch_size)
        views = {name: x[:, None] for name, x in self._batch["inputs"].items()}
        self._clips = self._batch | {"inputs": views}
        self._state = self._steps.init()
        self.num_parameters = sum(x.size for x in jax.tree.leaves(self._state.params))
        self.step()  # compiles

    def step(self) -> Mapping[str, float]:
        """Seconds of a training step and of an evaluation step, one clip a video."""
        begin = time.perf_counter()
        self._state, _ = jax.block_until_ready(self._steps.train(self._state, self._batch))
        middle = time.perf_counter()
        jax.block_until_ready(self._evaluate(self._state, self._clips))
        return {"train": middle - begin, "evaluate": time.perf_counter() - middle}


def noise(example: Batch, batch_size: int) -> Batch:
    """A batch of the shapes of `example`: noise to see, and labels in turn."""
    rng = np.random.default_rng(0)
    rgb = example["inputs"]["rgb"]
    return {
        "inputs": {"rgb": rng.integers(0, 256, (batch_size, *rgb.shape[1:]), np.uint8)},
        "label": {"action": np.arange(batch_size, dtype=np.int32) % 10},
        "mask": np.ones(batch_size, np.float32),
    }


def table(
    medians: Mapping[str, Mapping[str, float]],
    parameters: Mapping[str, int],
    *,
    batch_size: int,
) -> Table:
    """Times, and their ratio to the last row."""
    result = Table(title=f"ms a step of {batch_size} clips, median, and ratio to the last row")
    for column in ("model", "parameters", "train", "ratio", "evaluate", "ratio"):
        result.add_column(column, justify="left" if column == "model" else "right")
    last: Any = list(medians.values())[-1]
    for name, spent in medians.items():
        cells = [f"{parameters[name]:,}"]
        for kind in ("train", "evaluate"):
            cells += [f"{spent[kind]:.0f}", f"{spent[kind] / last[kind]:.2f}"]
        result.add_row(name, *cells)
    return result


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", default="configs/tokenlearner/synthetic.py")
    parser.add_argument("--variants", nargs="+", default=["token_learner", "plain"])
    parser.add_argument("--set", action="append", default=[], help="field=value of the configs")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=9)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
