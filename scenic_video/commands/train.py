"""scenic-video train: from a config to a trained model, its evaluation and its report."""

import argparse
import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax

from scenic_video import loop
from scenic_video.checkpoints import Checkpoints
from scenic_video.commands import distributed, dry_run, flags
from scenic_video.commands.configs import load_config
from scenic_video.config import ConfigError
from scenic_video.console import Terminal, TrainingProgress
from scenic_video.data.input.feed import Feed
from scenic_video.preemption import Stopped, StopRequest
from scenic_video.runs import best_metric, initial_state
from scenic_video.runs.evaluation import report
from scenic_video.runs.evaluation.result_files import show, write
from scenic_video.runs.evaluators import run_evaluators
from scenic_video.runs.experiment import Experiment, build_experiment
from scenic_video.runs.trained_files import check_files
from scenic_video.runs.training_batches import clips_of, open_batches
from scenic_video.runs.workdir import in_use
from scenic_video.sharding import put_batch
from scenic_video.tasks.presence import shown_modalities
from scenic_video.trainer import Steps, TrainState
from scenic_video.writers import MetricWriter

PREEMPTED = 75

EXAMPLES = (
    """\
examples:
  scenic-video train --config=configs/quickstart.py --workdir=runs/quickstart
  scenic-video train --config=configs/quickstart.py --workdir=runs/wide \\
      --config.model.hidden_size=96 --config.trainer.num_epochs=20
  scenic-video train --config=configs/vivit/kinetics400_factorised_encoder_base.py --dry-run

The same command on the same workdir resumes; SIGTERM saves and exits with code 75.

"""
    + distributed.EXAMPLES
)


def add_parser(subparsers: Any) -> None:
    """Adds the verb `train`."""
    parser = subparsers.add_parser(
        "train", help="train a model and evaluate it", epilog=EXAMPLES, description=__doc__
    )
    parser.add_argument(
        "--workdir", type=flags.path, help="folder of the run; resumes what is there"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the resolved config, shapes, parameters, GFLOPs, steps and rates, and stop",
    )
    distributed.add_flags(parser)
    parser.usage = "%(prog)s --config=FILE --workdir=DIR [--config.FIELD=VALUE ...] [--dry-run]"
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    config = load_config(arguments.config_arguments).to_dict()
    distributed.join(arguments)
    if not arguments.dry_run and arguments.workdir is None:
        raise ConfigError("Where to? Give --workdir=DIR, such as runs/quickstart.")
    terminal = Terminal(quiet=jax.process_index() != 0)
    if arguments.dry_run:
        dry_run.show(config, terminal)
        return 0
    with in_use(arguments.workdir) as left_over:
        if left_over:
            terminal.line(left_over)
        return train(build_experiment(config, terminal), arguments.workdir, terminal)


def train(experiment: Experiment, workdir: Path, terminal: Terminal) -> int:
    """Trains, evaluates with all views and writes the report; returns the exit code."""
    best_metric.check(experiment)
    steps = experiment.compile()
    with StopRequest() as stop:
        with _open_checkpoints(experiment, workdir) as checkpoints:
            state, start = initial_state.start_state(experiment, steps, checkpoints, workdir)
            resumes = int(state.step) > 0
            remark = check_files(experiment.dataset, workdir, resumes=resumes)
            terminal.banner(start, initial_state.banner(experiment, workdir))
            if remark:
                terminal.line(remark)
            with MetricWriter(workdir, resume_step=int(state.step)) as writer:
                state = _train(
                    experiment, steps, state, checkpoints, writer, terminal, stop, workdir
                )
        step = int(state.step)
        try:
            if step < experiment.cadence.num_steps:
                raise Stopped
            _finish(experiment, steps, state, terminal, stop, workdir)
        except Stopped:
            terminal.line(f"Stopped at step {step}, saved. The same command goes on from there.")
            return PREEMPTED
    return 0


def _finish(
    experiment: Experiment,
    steps: Steps,
    state: TrainState,
    terminal: Terminal,
    stop: StopRequest,
    workdir: Path,
) -> None:
    """Evaluates what was trained, and writes the report. Errors: Stopped, if asked to stop."""
    stop.check()
    if experiment.options.best_metric:
        state = _best(experiment, steps, workdir)
        terminal.line(f"The best checkpoint is that of step {int(state.step)}.")
    final = experiment.evaluators.final
    results = run_evaluators(final, state, terminal, on_batch=stop.check)
    if jax.process_index() == 0:
        for name, result in results.items():
            show(result, name, write(result, name, workdir / "eval"), terminal)
        terminal.line(f"Report: {report.write(experiment, workdir, results)}")


def _train(
    experiment: Experiment,
    steps: Steps,
    state: TrainState,
    checkpoints: Checkpoints,
    writer: MetricWriter,
    terminal: Terminal,
    stop: StopRequest,
    workdir: Path,
) -> TrainState:
    """Trains to the end or until stopped."""
    options, cadence = experiment.options, experiment.cadence
    batch_size = experiment.input.batch_size
    put = functools.partial(put_batch, mesh=steps.mesh, batch_size=batch_size)

    def save(state: TrainState, scalars: loop.Scalars) -> None:
        checkpoints.save(int(state.step), state, experiment.checkpoint_meta(), scalars or None)

    def should_stop(step: int) -> bool:
        checkpoints.check()
        return stop(step)

    with (
        open_batches(experiment, steps, int(state.step), workdir) as batches,
        Feed(batches, put) as feed,
        terminal.training(
            num_steps=cadence.num_steps, batch_size=batch_size, first_step=int(state.step)
        ) as progress,
    ):
        try:
            return loop.train(
                state,
                train_step=steps.train,
                batches=feed,
                cadence=cadence,
                hooks=loop.Hooks(
                    evaluations=experiment.evaluators.periodic(cadence.eval_every, terminal),
                    save=save,
                    observer=_Observer(experiment, writer, progress),
                    should_stop=should_stop,
                ),
                max_bad_steps=options.max_bad_steps,
            )
        except loop.NonFiniteLoss as error:
            error.add_note(clips_of(experiment, error.steps))
            raise
        except loop.NoWeight as error:
            shown = shown_modalities(experiment.task, experiment.preprocessing.modalities)
            error.add_note(
                f"The model reads {' and '.join(shown)}: a clip without any of it counts for "
                "nothing, nor does one that cannot be read. `scenic-video data check` lists both."
            )
            raise


@dataclasses.dataclass(frozen=True)
class _Observer:
    """Passes what the loop says on to the files and to the terminal."""

    experiment: Experiment
    writer: MetricWriter
    progress: TrainingProgress

    def on_log(self, step: int, scalars: loop.Scalars) -> None:
        batch_size = self.experiment.input.batch_size
        scalars = {name if "/" in name else f"train/{name}": v for name, v in scalars.items()}
        scalars["learning_rate"] = self.experiment.rate(step - 1)
        scalars["epoch"] = step / self.experiment.steps_per_epoch
        scalars["time/clips_per_second"] = scalars["time/steps_per_second"] * batch_size
        self.writer.write(step, scalars)
        self.progress.on_log(step, scalars)

    def on_evaluation(self, step: int, scalars: loop.Scalars) -> None:
        self.writer.write(step, scalars)
        self.progress.on_evaluation(step, scalars)


def _open_checkpoints(experiment: Experiment, workdir: Path) -> Checkpoints:
    options = experiment.options
    metric = best_metric.full_name(experiment)
    return Checkpoints(
        workdir / "checkpoints",
        keep_last=options.keep_last,
        best_metric=metric,
        best_mode="min" if metric and metric.endswith("loss") else "max",
    )


def _best(experiment: Experiment, steps: Steps, workdir: Path) -> TrainState:
    with _open_checkpoints(experiment, workdir) as checkpoints:
        state, _ = checkpoints.restore_best(steps.abstract_state)
    return state
