"""Trains the run that a config describes: from its initial state to its report."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from scenic_video import loop
from scenic_video.checkpoints import Checkpoints
from scenic_video.data.input.feed import Feed
from scenic_video.preemption import Stopped, StopRequest
from scenic_video.runs import best_metric
from scenic_video.runs.config_nodes import complete
from scenic_video.runs.evaluation import report
from scenic_video.runs.evaluation.result_files import write
from scenic_video.runs.evaluators import Results, run_evaluators
from scenic_video.runs.experiment import Experiment, build_experiment
from scenic_video.runs.initialization.absent_sources import refuse_absent_sources
from scenic_video.runs.initialization.state import banner, start_state
from scenic_video.runs.reporter import SILENT, Reporter
from scenic_video.runs.training_batches import clips_of, open_batches
from scenic_video.runs.workdir.lock import in_use
from scenic_video.runs.workdir.trained_files import check_files
from scenic_video.sharding import put_batch
from scenic_video.tasks.presence import shown_modalities
from scenic_video.trainer import Steps, TrainState
from scenic_video.writers import MetricWriter


class Outcome(NamedTuple):
    """The outcome of training: the last step, and what was written after it.

    `results` are by evaluator, `files` are the files of these results, and `report` is the HTML
    page. They are empty if training was stopped early; the same call continues it.
    """

    step: int
    is_complete: bool
    results: Results
    files: Mapping[str, Path]
    report: Path | None


def train(
    config: Mapping[str, Any], workdir: str | Path, *, reporter: Reporter = SILENT
) -> Outcome:
    """Trains the run that `config` describes in `workdir`, or continues the run that is there.

    `config` is a dict of nodes, such as `get_config().to_dict()` of a file in configs/. Every
    process of a run on several hosts makes this call. SIGTERM, SIGHUP and a first Ctrl-C save and
    return. Errors: UserError for a config that cannot be built or a workdir of another run,
    RunFailed if nothing can be learned.
    """
    workdir = Path(workdir)
    with in_use(workdir) as left_over:
        if left_over:
            reporter.line(left_over)
        config = complete(config)
        refuse_absent_sources(config, workdir)
        experiment = build_experiment(config, reporter)
        best_metric.check(experiment)
        return Training(experiment, experiment.compile(), workdir, reporter).run()


@dataclasses.dataclass(frozen=True)
class Training:
    """The training of a compiled experiment in `workdir`."""

    experiment: Experiment
    steps: Steps
    workdir: Path
    reporter: Reporter

    def run(self) -> Outcome:
        """Trains, evaluates with all views and writes the report."""
        with StopRequest() as stop:
            state = self._train(stop)
            step = int(state.step)
            try:
                if step < self.experiment.cadence.num_steps:
                    raise Stopped
                return self._finish(state, stop)
            except Stopped:
                return Outcome(step, is_complete=False, results={}, files={}, report=None)

    def _train(self, stop: StopRequest) -> TrainState:
        with self._checkpoints() as checkpoints:
            state = self._initial_state(checkpoints)
            with MetricWriter(self.workdir, resume_step=int(state.step)) as writer:
                return self._loop(state, checkpoints, writer, stop)

    def _initial_state(self, checkpoints: Checkpoints) -> TrainState:
        state, origin = start_state(
            self.experiment, self.steps, checkpoints, self.workdir, self.reporter
        )
        remark = check_files(self.experiment.dataset, self.workdir, resumes=int(state.step) > 0)
        self.reporter.banner(origin, banner(self.experiment, self.workdir))
        if remark:
            self.reporter.line(remark)
        return state

    def _loop(
        self, state: TrainState, checkpoints: Checkpoints, writer: MetricWriter, stop: StopRequest
    ) -> TrainState:
        """Trains to the end or until stopped."""
        experiment, first_step = self.experiment, int(state.step)
        cadence, batch_size = experiment.cadence, experiment.input.batch_size
        put = functools.partial(put_batch, mesh=self.steps.mesh, batch_size=batch_size)
        with (
            open_batches(experiment, self.steps, first_step, self.workdir) as batches,
            Feed(batches, put) as feed,
            self.reporter.training(
                num_steps=cadence.num_steps, batch_size=batch_size, first_step=first_step
            ) as progress,
            self._notes_on_failure(),
        ):
            return loop.train(
                state,
                train_step=self.steps.train,
                batches=feed,
                cadence=cadence,
                hooks=self._hooks(checkpoints, _Observer(experiment, writer, progress), stop),
                max_bad_steps=experiment.options.max_bad_steps,
            )

    def _hooks(
        self, checkpoints: Checkpoints, observer: loop.Observer, stop: StopRequest
    ) -> loop.Hooks:
        def save(state: TrainState, scalars: loop.Scalars) -> None:
            meta = self.experiment.checkpoint_meta()
            checkpoints.save(int(state.step), state, meta, scalars or None)

        def should_stop(step: int) -> bool:
            checkpoints.check()
            return stop(step)

        eval_every = self.experiment.cadence.eval_every
        evaluations = self.experiment.evaluators.periodic(eval_every, self.reporter)
        return loop.Hooks(evaluations, save, observer, should_stop)

    @contextlib.contextmanager
    def _notes_on_failure(self) -> Iterator[None]:
        """Adds notes about clips and modalities, which the loop does not have, to its errors."""
        try:
            yield
        except loop.NonFiniteLoss as error:
            error.add_note(clips_of(self.experiment, error.steps))
            raise
        except loop.NoWeight as error:
            given = self.experiment.preprocessing.modalities
            shown = shown_modalities(self.experiment.task, given)
            error.add_note(
                f"The model reads {' and '.join(shown)}: a clip without any of it, or that cannot "
                "be read, does not count. `scenic-video data check` lists both."
            )
            raise

    def _finish(self, state: TrainState, stop: StopRequest) -> Outcome:
        """Evaluates the trained model and writes the report. Errors: Stopped."""
        stop.check()
        if self.experiment.options.best_metric:
            state = self._best()
            self.reporter.line(f"The best checkpoint is that of step {int(state.step)}.")
        final = self.experiment.evaluators.final
        results = run_evaluators(final, state, self.reporter, on_batch=stop.check)
        files, page = {}, None
        if jax.process_index() == 0:
            files = {name: write(x, name, self.workdir / "eval") for name, x in results.items()}
            page = report.write(self.experiment, self.workdir, results)
        step = self.experiment.cadence.num_steps
        return Outcome(step, is_complete=True, results=results, files=files, report=page)

    def _checkpoints(self) -> Checkpoints:
        metric = best_metric.full_name(self.experiment)
        return Checkpoints(
            self.workdir / "checkpoints",
            keep_last=self.experiment.options.keep_last,
            best_metric=metric,
            best_mode="min" if metric and metric.endswith("loss") else "max",
        )

    def _best(self) -> TrainState:
        with self._checkpoints() as checkpoints:
            state, _ = checkpoints.restore_best(self.steps.abstract_state)
        return state


@dataclasses.dataclass(frozen=True)
class _Observer:
    """Passes the logs of the loop to the files and to the progress bar."""

    experiment: Experiment
    writer: MetricWriter
    progress: loop.Observer

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
