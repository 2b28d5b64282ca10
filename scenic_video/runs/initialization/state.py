"""How a run starts: with random weights, from the weights of another run, or from its own last
checkpoint."""

from pathlib import Path
from typing import Any

import jax
from jax.experimental import multihost_utils

from scenic_video.atomic_files import replacing
from scenic_video.checkpoints import Checkpoints
from scenic_video.config import ConfigError
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.sources.remarks import remarks
from scenic_video.optimizers.freezing import trained_part
from scenic_video.runs.experiment import Experiment
from scenic_video.runs.initialization.first_batch import first_batch
from scenic_video.runs.initialization.weights import initial_weights
from scenic_video.runs.metadata import changed_fields
from scenic_video.runs.reporter import SILENT, Reporter
from scenic_video.trainer import Steps, TrainState
from scenic_video.writers import json_of

ORIGINS = "initial_weights.txt"
"""The file in a working directory that states where each parameter came from; the one that ends in
.json states it for programs."""


def start_state(
    experiment: Experiment,
    steps: Steps,
    checkpoints: Checkpoints,
    workdir: Path,
    reporter: Reporter = SILENT,
) -> tuple[TrainState, str]:
    """The state to train from, and a sentence that says where it comes from.

    A workdir with a checkpoint is resumed. Errors: ConfigError if its config or dataset are not
    those of this run.
    """
    if checkpoints.latest_step() is not None:
        meta = checkpoints.read_meta()
        _check_same_run(experiment, workdir, meta)
        state, meta = checkpoints.restore(None, steps.abstract_state)
        step = int(state.step)
        if step > experiment.cadence.num_steps:
            raise ConfigError(
                f"{workdir} was trained for {step} steps, but this config has only "
                f"{experiment.cadence.num_steps}. Use another --workdir, or --config.init.workdir "
                "to start from its weights."
            )
        return state, f"RESUME {workdir} at step {step} of {experiment.cadence.num_steps}"
    if experiment.config["init"]["workdir"] or experiment.config["init"]["path"]:
        return _initialized(experiment, steps, workdir, reporter)
    return steps.init(), f"START from random weights, seed {experiment.config['seed']}"


def _initialized(
    experiment: Experiment, steps: Steps, workdir: Path, reporter: Reporter
) -> tuple[TrainState, str]:
    """A state at step 0 with the weights of `init`; the table of their origins is reported, and
    kept in the working directory."""
    state = steps.init()
    initial = initial_weights(experiment, _on_host(state.params))
    params = jax.device_put(initial.params, steps.state_shardings.params)
    average = None
    if state.ema_params is not None:
        trained = trained_part(params, experiment.options.freeze)
        average = jax.tree.map(lambda x: x.copy(), trained)
    loaded = state.replace(params=params, ema_params=average)
    reporter.line(initial.table)
    tried = first_batch(experiment, random=state, loaded=loaded)
    said = [tried.words, *(f"WARNING: {words}" for words in tried.warnings(initial.report))]
    reporter.line("\n".join(said))
    if jax.process_index() == 0:
        _write(workdir / ORIGINS, "\n".join([initial.table, *said, ""]))
        stated = initial.to_json() | {"first_batch": tried.to_json(initial.report)}
        _write((workdir / ORIGINS).with_suffix(".json"), json_of(stated, indent=1))
    return loaded, f"INIT from the weights of {', '.join(initial.sources)}; step 0"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch:
        scratch.write_text(text)


def _on_host(params: Any) -> Any:
    """All arrays as a whole, gathered from devices and hosts."""
    if jax.process_count() == 1:
        return jax.device_get(params)
    return multihost_utils.process_allgather(params, tiled=True)


def _check_same_run(experiment: Experiment, workdir: Path, meta: dict[str, Any]) -> None:
    """Errors: ConfigError if the checkpoint is one of another run."""
    fingerprint = experiment.dataset.fingerprint
    reasons = changed_fields(meta["config"], experiment.config)
    if meta["dataset"]["flip"] != experiment.geometry.flip:
        reasons.append(f"flips: {meta['dataset']['flip']} -> {experiment.geometry.flip}")
    if meta["dataset"]["fingerprint"] != fingerprint:
        reasons.append(
            f"dataset: {meta['dataset']['name']} with fingerprint {meta['dataset']['fingerprint']}"
            f" and {meta['dataset']['num_examples']} examples -> {experiment.dataset.name} with "
            f"{fingerprint} and "
            f"{ {name: len(split) for name, split in experiment.dataset.splits.items()} }"
        )
    measured = _changed_modalities(meta["preprocessing"], experiment.preprocessing)
    reasons += [reason for reason in measured if reason not in reasons]
    if reasons:
        raise ConfigError(
            f"{workdir} holds a checkpoint of another run, so it cannot be resumed:\n  "
            + "\n  ".join(reasons)
            + "\nUse another --workdir for this run, or the old values to resume."
        )


def _changed_modalities(saved: dict[str, Any], preprocessing: Preprocessing) -> list[str]:
    """How the modalities of a checkpoint differ from now, such as in measured statistics."""
    now = preprocessing.to_dict()
    return [
        f"preprocessing.{name}.{field}: {saved[name].get(field)!r} -> {value!r}"
        for name, modality in preprocessing.modalities.items()
        for field, value in now[name].items()
        if name in saved and saved[name].get(field) != value and field not in modality.path_fields
    ]


def banner(experiment: Experiment, workdir: Path) -> dict[str, str]:
    """A summary of a run, printed at its start."""
    dataset, mesh = experiment.dataset, experiment.mesh
    sizes = ", ".join(f"{name} {len(split)}" for name, split in dataset.splits.items())
    heads = ", ".join(f"{head} ({n} classes)" for head, n in dataset.labels.num_classes.items())
    used = " x ".join(f"{axis} {size}" for axis, size in mesh.shape.items() if size > 1)
    devices = f"{jax.device_count()} x {jax.devices()[0].device_kind}"
    found = remarks(dataset, train=experiment.input.split)
    return {
        "workdir": str(workdir),
        "model": experiment.config["model"]["target"],
        "dataset": f"{dataset.name}: {sizes} clips; {heads}",
        **({"to look at": "\n".join(found)} if found else {}),
        "flip": "on" if experiment.geometry.flip else "off",
        "steps": f"{experiment.cadence.num_steps} of {experiment.input.batch_size} clips",
        "devices": f"{devices}, {jax.process_count()} process(es), mesh {used or 'of one device'}",
    }
