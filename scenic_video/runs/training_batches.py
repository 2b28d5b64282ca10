"""The batches that a run trains on, and the clips in them."""

from pathlib import Path

import jax

from scenic_video.data.input.bad_files import BadFiles
from scenic_video.data.input.batches import TrainingBatches, batch_examples, train_batches
from scenic_video.data.input.rows import TrainingRow
from scenic_video.runs.experiment import Experiment
from scenic_video.sharding import local_rows
from scenic_video.trainer import Steps

MAX_NAMED = 16


def open_batches(
    experiment: Experiment, steps: Steps, start_step: int, workdir: Path
) -> TrainingBatches:
    """The batches of this process from `start_step` on; bad files are logged in `workdir`."""
    options = experiment.input
    process = f".{jax.process_index()}" if jax.process_count() > 1 else ""
    bad_files = BadFiles(
        workdir / f"bad_files{process}.jsonl",
        num_examples=len(experiment.train_split),
        max_share=options.max_bad_share,
    )
    load = TrainingRow(
        experiment.train_split,
        experiment.dataset.labels,
        experiment.preprocessing,
        seed=experiment.config["seed"],
        geometry=experiment.geometry,
        decode_timeout=options.decode_timeout,
    )
    return train_batches(
        load,
        batch_size=options.batch_size,
        rows=local_rows(steps.mesh, options.batch_size),
        start_step=start_step,
        bad_files=bad_files,
        num_threads=options.num_threads,
        num_workers=options.num_workers,
    )


def clips_of(experiment: Experiment, steps: range) -> str:
    """The clips of the batches of `steps`, one line per step."""
    lines = []
    for step in steps:
        examples = batch_examples(
            experiment.train_split,
            seed=experiment.config["seed"],
            batch_size=experiment.input.batch_size,
            step=step - 1,
        )
        names = ", ".join(example.id for example in examples[:MAX_NAMED])
        more = len(examples) - MAX_NAMED
        lines.append(f"  step {step}: {names}" + (f" and {more} more" if more > 0 else ""))
    return "The clips of these steps:\n" + "\n".join(lines)
